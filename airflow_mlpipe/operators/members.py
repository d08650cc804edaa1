"""Which files of an upstream folder changed, so that the reason can name them.

A fingerprint contains a folder by its digest alone and reads nothing.  Only when a reason is wanted are the two trees
looked up, and only those of moderate size.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.fingerprint.identity import MOST_MEMBERS, ContentIdentity, members_of
from airflow_mlpipe.fingerprint.key import KeyDocument
from airflow_mlpipe.store.contents import Contents


def with_members(old: KeyDocument, new: KeyDocument, contents: Contents) -> tuple[KeyDocument, KeyDocument]:
    """The two documents, with the members of those folders of the workspace that differ."""
    differ = [
        name
        for name in {*old.inputs} & {*new.inputs}
        if old.inputs[name].digest != new.inputs[name].digest
        and all(_lacks_members(document.inputs[name]) for document in (old, new))
    ]
    for name in differ:
        try:
            before, after = (_filled(document.inputs[name], contents) for document in (old, new))
        except StoreError:
            continue  # an old tree may be gone, or in another datastore: the digests have to do
        old = replace(old, inputs={**old.inputs, name: before})
        new = replace(new, inputs={**new.inputs, name: after})
    return old, new


def _lacks_members(identity: ContentIdentity) -> bool:
    return identity.members is None and identity.digest.startswith("tree:") and identity.files <= MOST_MEMBERS


def _filled(identity: ContentIdentity, contents: Contents) -> ContentIdentity:
    return replace(identity, members=members_of(contents.walk(identity.digest)))
