"""Tensors of torch and jax, and dicts of them."""

from __future__ import annotations

import json
from collections import OrderedDict

import jax.numpy as jnp
import numpy as np
import pytest

from airflow_mlpipe.values import registry
from airflow_mlpipe.values.formats.tensors import StateDicts, Tensors, state_dict_names

_JAX = {
    "f32": jnp.arange(6, dtype=jnp.float32).reshape(2, 3),
    "bf16": jnp.array([1.5, -2, float("nan")], dtype=jnp.bfloat16),
    "f16": jnp.ones((2, 2), dtype=jnp.float16),
    "i8": jnp.array([[1], [-2]], dtype=jnp.int8),
    "bool": jnp.array([True, False]),
    "c64": jnp.array([1 + 2j], dtype=jnp.complex64),
    "scalar": jnp.float32(3),
    "empty": jnp.zeros((0, 3)),
    "transposed": jnp.arange(6).reshape(2, 3).T,
}


def _through(materializer, value, path, form):
    details = json.loads(json.dumps(materializer.save(value, path)))
    json.dumps(materializer.preview(value))
    return materializer.load(path, form, details)


def _same(one, other) -> bool:
    a, b = np.asarray(one), np.asarray(other)
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


@pytest.mark.parametrize("name", _JAX)
def test_an_array_of_jax_comes_back(name, tmp_path):
    """With its shape and data type, as jax and as numpy; again it has the same bytes."""
    array = _JAX[name]
    loaded = _through(Tensors(), array, tmp_path / "1", "jaxlib.ArrayImpl")
    assert type(loaded) is type(array)
    assert _same(loaded, array)
    plain = _through(Tensors(), loaded, tmp_path / "2", "numpy.ndarray")
    assert type(plain) is np.ndarray
    assert _same(plain, array)
    assert plain.flags.writeable
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_keys_that_are_no_tensors_are_refused(tmp_path):
    """Jax's random keys hold more than numbers."""
    import jax

    with pytest.raises(ValueError, match="cannot be written"):
        Tensors().save(jax.random.key(0), tmp_path / "x")


def test_numbers_that_jax_would_narrow_are_refused(tmp_path):
    """Without jax_enable_x64 jax turns 64 bits into 32, silently."""
    import safetensors.numpy

    (tmp_path / "x").write_bytes(safetensors.numpy.save({"value": np.array([0.1])}))
    with pytest.raises(ValueError, match="jax_enable_x64"):
        Tensors().load(tmp_path / "x", "jax.Array", {"framework": "jax"})


def test_only_dicts_of_tensors_are_state_dicts():
    """A dict with anything else in it is a plain value."""
    one = jnp.ones(1)
    assert state_dict_names({"a": one})
    assert state_dict_names(OrderedDict(a=one, b=one))
    for value in ({}, {1: one}, {"a": one, "b": 1}, {"a": np.ones(1)}, {"a": {"b": one}}, [one], one):
        assert not state_dict_names(value)


def test_a_dict_of_arrays_of_jax_comes_back(tmp_path):
    """Whatever the order of its keys, with the same bytes."""
    value = {"layer.weight": _JAX["f32"], "layer.bias": _JAX["bf16"], "a": _JAX["i8"]}
    loaded = _through(StateDicts(), value, tmp_path / "1", "builtins.dict")
    assert list(loaded) == sorted(value)
    assert all(_same(loaded[name], array) and type(loaded[name]) is type(array) for name, array in value.items())
    StateDicts().save(dict(reversed(value.items())), tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    with pytest.raises(ValueError, match="not a dict"):
        StateDicts().save({"a": 1}, tmp_path / "3")


def test_tensors_are_found_by_their_types_and_formats():
    """State dicts by their format alone."""
    assert type(registry.of_type(type(_JAX["f32"]))).__name__ == "Tensors"
    assert type(registry.of_format("safetensors/1")).__name__ == "Tensors"
    assert type(registry.of_format("state_dict/1")).__name__ == "StateDicts"


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16", "float16", "int64", "uint8", "bool", "complex64"])
def test_a_tensor_of_torch_comes_back(name, tmp_path):
    """With its data type; views, gradients and parameters are written as the numbers that they are."""
    torch = pytest.importorskip("torch")
    tensor = torch.arange(6).reshape(2, 3).to(getattr(torch, name))
    loaded = _through(Tensors(), tensor, tmp_path / "1", "torch.Tensor")
    assert type(loaded) is torch.Tensor
    assert loaded.dtype == tensor.dtype
    assert torch.equal(loaded, tensor)
    Tensors().save(tensor.T.contiguous().T, tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    plain = Tensors().load(tmp_path / "1", "numpy.ndarray", {"framework": "torch"})
    assert (plain.astype(complex) == np.arange(6).reshape(2, 3).astype(name if name == "bool" else complex)).all()


def test_a_tensor_of_torch_is_the_same_bytes_as_that_of_jax(tmp_path):
    """The framework is no part of the bytes, and a consumer may ask for the other one."""
    torch = pytest.importorskip("torch")
    Tensors().save(torch.tensor([1.0, 2.0], requires_grad=True), tmp_path / "1")
    Tensors().save(jnp.array([1.0, 2.0]), tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert _same(Tensors().load(tmp_path / "1", "jax.Array", {"framework": "torch"}), jnp.array([1.0, 2.0]))
    assert type(Tensors().load(tmp_path / "2", "torch.Tensor", {"framework": "jax"})) is torch.Tensor
    assert type(registry.of_type(torch.nn.Parameter)).__name__ == "Tensors"


def test_tensors_of_torch_without_dense_data_are_refused(tmp_path):
    """Sparse ones, and those of the meta device."""
    torch = pytest.importorskip("torch")
    for tensor in (torch.eye(2).to_sparse(), torch.ones(1, device="meta")):
        with pytest.raises(ValueError, match="sparse, quantized or without data"):
            Tensors().save(tensor, tmp_path / "x")


def test_a_state_dict_of_torch_comes_back(tmp_path):
    """A model takes it, also where two of its layers share one tensor."""
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    assert state_dict_names(model.state_dict())
    loaded = _through(StateDicts(), model.state_dict(), tmp_path / "1", "builtins.dict")
    other = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    other.load_state_dict(loaded)
    assert torch.equal(other(torch.ones(1, 2)), model(torch.ones(1, 2)))
    assert not state_dict_names({"a": torch.ones(1), "b": jnp.ones(1)})
