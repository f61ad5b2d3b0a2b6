"""What a spec says of its flavours and presets, laid over it."""

from __future__ import annotations

from mbprof.errors import LimitError, Loc, SpecError, UsageError, nearest
from mbprof.language.source import Entry, Map, Scalar, mapping, word
from mbprof.spec.overlay import overlay
from mbprof.spec.sections import presets, section
from mbprof.spec.steps import MAX_CHAIN


def flavoured(root: Map, flavour: str, seen: tuple[str, ...] = ()) -> Map:
    """Lay a flavour over its spec, or over the one it is like; the spec's own changes nothing."""
    own = root.get("flavour")
    if own is not None and word(own, "flavour").text == flavour:
        return root
    flavours = section(root, "flavours")
    if flavour not in flavours:
        known = [*([word(own, "flavour").text] if own else []), *flavours]
        name = word(root.entries["name"].value, "name").text if "name" in root.entries else "it"
        raise UsageError(f"{name} has no flavour {flavour!r}", hint=nearest(flavour, known))
    changes = mapping(flavours[flavour].value, f"flavour {flavour}")
    if (other := changes.get("like")) is not None:
        scalar = word(other, "like")
        check_chain("like", (*seen, flavour, scalar.text), scalar.loc)
        if scalar.text not in flavours:
            hint = nearest(scalar.text, flavours)
            raise SpecError(f"there is no flavour {scalar.text!r}", scalar.loc, hint)
        root = flavoured(root, scalar.text, (*seen, flavour))
    merged = overlay(root, changes, drop=("flavour", "like"))
    return Map(merged.entries, root.loc)


def preset_changes(root: Map, name: str) -> Map:
    """Return what a preset changes in its spec: the defaults of knobs, and what the spec is."""
    preset = presets(root)[name]
    changes: dict[str, dict[str, Entry]] = {"knobs": {}, "input": {}}
    said = {}
    for key, entry in preset.entries.items():
        if key == "doc":
            said[key] = entry
        elif key == "res":
            changes["input"][key] = entry
        else:
            default = Entry(Scalar("default", entry.key.loc), entry.value)
            changes["knobs"][key] = Entry(entry.key, Map({"default": default}, entry.key.loc))
    for key, entries in changes.items():
        said[key] = Entry(Scalar(key, preset.loc), Map(entries, preset.loc))
    return Map(said, preset.loc)


def check_chain(key: str, names: tuple[str, ...], loc: Loc) -> None:
    """Refuse a chain of names that comes back to one of them, or that is too long."""
    if names[-1] in names[:-1]:
        raise SpecError(f"{key} goes round in a circle: {' -> '.join(names)}", loc)
    if len(names) > MAX_CHAIN:
        raise LimitError(f"{key} leads through more than {MAX_CHAIN} others", loc)
