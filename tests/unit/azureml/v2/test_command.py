"""Commands of v2: words become a list, everything else goes to bash with its values beside it."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.azureml.v2.bindings import Bound, Maybe, command_parts
from airflow_mlpipe.azureml.v2.command import program_of, shell_script
from airflow_mlpipe.azureml.v2.values import Literal, Mixed, Param
from airflow_mlpipe.model.step import InputPath, OutputPath

IN, OUT, RATE = InputPath("raw"), OutputPath("model"), Param("rate")


def test_a_python_script_is_a_script():
    """Its words are arguments; line ends of a folded text and continuations are white space."""
    program = program_of(["python ./train.py \\\n --in ", IN, " --rate ", RATE, "  --out ", OUT, "\n"])
    assert program.script == "train.py"
    assert program.arguments == ("--in", IN, "--rate", "{{ params.rate }}", "--out", OUT)


def test_other_programs_are_commands():
    """Also a module of Python's, and a script with a path that leaves the folder."""
    assert program_of(["wc -l ", IN]).arguments == ("wc", "-l", IN)
    assert program_of(["python -m train"]).arguments == ("python", "-m", "train")
    assert program_of(["python ../x.py"]).arguments == ("python", "../x.py")


def test_quotes_are_read_as_a_shell_reads_them():
    """A quoted word is one argument, with the values in it."""
    program = program_of(['echo "a b" ', "'c ", Literal("d e"), "'"])
    assert program.arguments == ("echo", "a b", "c d e")


def test_text_that_looks_like_a_template_is_none():
    """Airflow renders arguments."""
    assert program_of(["echo '{{ x }}'"]).arguments == ("echo", "{% raw %}{{ x }}{% endraw %}")


@pytest.mark.parametrize(
    "text",
    ["a && b", "a; b", "a | b", "a > b", "echo $HOME", "echo `date`", "ls *.csv", "cd x", "X=1 a", "! a", "a # b",
     "a\nb", "ls ~", 'echo "$X"', "a \\; b"],
)  # fmt: skip
def test_syntax_needs_a_shell(text):
    """Bash gets the text as it stands."""
    program = program_of([text])
    assert program.by_shell
    assert program.arguments == ("bash", "-c", text, "bash")


def test_a_path_within_a_word_needs_a_shell():
    """Only the program's machine knows the path."""
    assert program_of(["a --in=", IN]).arguments == ("bash", "-c", 'a --in="${1}"', "bash", IN)


def test_a_value_that_is_named_twice_is_handed_over_once():
    """The second place names the same variable."""
    script, values = shell_script(["cp ", IN, "/a ", OUT, " && cp ", IN, "/b ", OUT])
    assert script == 'cp "${1}"/a "${2}" && cp "${1}"/b "${2}"'
    assert values == [IN, OUT]


def test_a_quote_that_does_not_close_is_told():
    """It cannot be a command of v2 either."""
    with pytest.raises(ValueError, match="not closed"):
        program_of(["echo 'a"])


NASTY = st.text(st.sampled_from("ab '\"$`\\;|&<>(){}*?#~\n!=-é"), max_size=12)
PLACES = ["%s", '"%s"', "'%s'", "a%sb", '"a%s b"', "'a%s $b'", '"$(printf %%s %s)"', '$(printf %%s "%s")',
          "\\' %s", '"\\"%s"', "x # it's\necho %s", '"`printf %%s %s`"']  # fmt: skip


@given(value=NASTY, place=st.sampled_from(PLACES))
def test_no_value_becomes_syntax(value, place):
    """Wherever a value stands, bash prints what it prints for the same command with a harmless word in its place."""
    before, after = place.replace("%%", "\0").split("%s")
    parts = [f"printf '[%s]' {before}".replace("\0", "%"), Literal(value), f"{after}; echo end".replace("\0", "%")]
    script, values = shell_script(parts)
    run = subprocess.run(
        ["bash", "-c", script, "bash", *(v.text for v in values)], capture_output=True, text=True, check=True
    )
    harmless = subprocess.run(["bash", "-c", script, "bash", "WORD"], capture_output=True, text=True, check=True)
    shown = value if "$(" not in place and "`" not in place else value.rstrip("\n")
    expected = harmless.stdout.replace("WORD", shown)
    if place.startswith("$(") and not (value and not set(value) & set(" \n*?")):
        return  # an unquoted $(...) is split by the author's own choice
    assert run.stdout == expected
    assert run.stdout.endswith("end\n")


@given(values=st.lists(NASTY.filter(lambda v: "\0" not in v), min_size=1, max_size=3))
def test_literals_in_words_arrive_as_they_are(values):
    """Without a shell nothing is split or unquoted a second time."""
    parts = ["echo"]
    for value in values:
        parts += [" ", Literal(value)]
    program = program_of(parts)
    plain = [a.removeprefix("{% raw %}").removesuffix("{% endraw %}") for a in program.arguments[1:]]
    assert plain == values


def test_what_is_optional_is_one_part():
    """``$[[...]]`` with the bindings in it."""
    parts = command_parts("a $[[--x ${{inputs.x}}]] ${{ outputs.y }}")
    assert parts == ["a ", Maybe(("--x ", Bound("inputs.x"))), " ", Bound("outputs.y")]
    assert parts[3].own == ("outputs", "y")


def test_mixed_text_keeps_its_parameters():
    """A value that was put together is rendered by Airflow."""
    assert program_of(["echo ", Mixed("v-{{ params.x }}")]).arguments == ("echo", "v-{{ params.x }}")
