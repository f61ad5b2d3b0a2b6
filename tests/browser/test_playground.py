"""The built playground in a real browser without a screen: each scenario is one of drive.mjs."""

import json
import os
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, child

PLAYGROUND = ROOT / "site" / "playground"
BUILT = ROOT / "site" / "build" / "playground"
BROWSER = os.environ.get("BROWSER_PATH") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
LACKS = [
    what
    for what, there in {
        "node": shutil.which("node"),
        "a browser": BROWSER,
        "site/playground/node_modules": (PLAYGROUND / "node_modules" / "playwright-core").is_dir(),
        "the built playground": (BUILT / "python.zip").is_file(),
    }.items()
    if not there
]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(LACKS), reason=f"make playground; missing: {', '.join(LACKS)}"),
]


@cache
def seen(scenario: str) -> dict[str, Any]:
    """Play a scenario; nothing foreign is asked for, nothing fails, and no dialog opens."""
    program = ("node", "drive.mjs", BROWSER, str(BUILT), scenario)
    ended = child(*program, cwd=PLAYGROUND)
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1]) if ended.out else {}
    assert ended.status == 0, found.get("failed", ended.err)
    for part in (found, *(found[mode] for mode in ("elsewhere", "isolated") if mode in found)):
        if isinstance(part, dict):
            assert (part["foreign"], part.get("errors", []), part["dialogs"]) == ([], [], 0)
    return found


def test_an_error_stands_under_its_line_until_it_is_repaired() -> None:
    found = seen("error")
    assert found["said"] == "line 33: unknown op or block 'xconv'\nhint: did you mean 'conv'?"
    assert found["marked"].strip() == "- [xconv, 3, 2, 32]"
    assert found["total"] == "3,185,088 params, 567,716,352 MACs"


def test_width_and_resolution_are_turned_and_travel_in_the_link() -> None:
    found = seen("knobs")
    assert found["total"] == found["again"] == "1,800,144 params, 106,002,432 MACs"
    assert found["title"] == "mobilenet_v1, alpha 0.75, res 128"


def test_every_tab_answers() -> None:
    found = seen("tabs")["found"]
    assert "Conv2d_13_pointwise" in found["layers"]
    assert "MB602" in found["checks"]
    assert "Holds for" in found["formula"]
    assert "16 published settings of mobilenet_v1" in found["sweep"]
    assert "No change in cost: 3,185,088 params" in found["diff"]
    assert found["copy"].startswith("**mobilenet")
    assert "thop" in found["explain"]


def test_a_number_is_found_as_the_command_finds_it() -> None:
    found = seen("tabs")["found"]["number"]
    assert found.startswith("578.88M is 1 count of mobilenet_v1, 1 of them likely")
    assert re.search(r"578,876,928.*mobilenet_v1@paddle.*paddle, thop@0\.0\.31", found)


def test_a_number_is_looked_for_at_usual_settings_too() -> None:
    found = seen("number")
    assert found["said"].startswith("14153119 is 1 count of mobilenet_v1, 1 of them likely")
    assert "alpha 0.35, res 96, classes 1000" in found["said"]
    assert "height and width: any" in found["checks"]


def test_a_long_computation_is_stopped_by_hand_and_by_the_next_key() -> None:
    found = seen("stop")
    for mode, starts in (("elsewhere", (2, 3)), ("isolated", (1, 1))):
        each = found[mode]
        assert each["said"].startswith("Stopped before this was computed"), mode
        assert (each["label"], each["hidden"]) == ("Stop", True), mode
        assert (each["stopped"], each["superseded"]) == starts, mode
        assert each["isolated"] is (mode == "isolated")


def test_rows_nodes_and_lines_that_belong_together_are_marked_together() -> None:
    found = seen("marks")
    expected = {
        "lines": ['- {op: conv, k: 1, c: c, name: "{row}_pointwise"}', "- [dw_sep, 3, 2, 128]"],
        "rows": ["Conv2d_2_pointwise"],
        "nodes": ["Conv2d_2_pointwise"],
    }
    assert found["from_row"] == found["from_node"] == expected
    assert found["left"] == {"lines": [], "rows": [], "nodes": []}
    assert found["walked"]["rows"] == found["walked"]["nodes"] == ["Conv2d_3_depthwise"]


def test_what_was_chosen_is_marked_and_in_view_where_another_tab_is_opened() -> None:
    found = seen("marks")
    assert found["opened_later"]["rows"] == ["Conv2d_13_pointwise"]
    assert found["visible"]


def test_sweep_has_sliders_of_its_own_and_marks_where_the_network_stands() -> None:
    found = seen("sweep")
    assert found["roles"] == ["alpha, width multiplier", "res, input resolution"]
    assert (found["above"]["alpha"], found["above"]["res"]) == ("0.75", "128")
    assert found["here"] == "106,002,432"


def test_a_block_of_the_graph_folds_by_keyboard() -> None:
    before, after = seen("tabs")["folded"]
    assert after == before - 1


def test_tabs_have_names_and_are_walked_with_arrows() -> None:
    roles = seen("tabs")["roles"]
    assert [name for name, chosen in roles if chosen == "true"] == ["Checks"]
    assert len(roles) == 8


def test_the_table_folds_and_sorts() -> None:
    found = seen("layers")
    assert found["folded"] == found["before"] - 2
    assert "Conv2d_13" in found["first"]


def test_nothing_is_wider_than_a_small_phone() -> None:
    assert set(seen("narrow")["wide"].values()) == {360}


def test_it_answers_without_a_network() -> None:
    found = seen("offline")
    assert found["total"] == found["reloaded"] == "3,471,040 params, 300,775,552 MACs"
    assert found["isolated"]  # The page's own worker says so, whatever its host says.


def test_a_block_of_the_library_is_costed_at_its_example() -> None:
    assert seen("block")["total"] == "8,208 params, 25,740,288 MACs"


def test_a_spec_from_a_link_runs_nothing() -> None:
    found = seen("hostile")
    assert "\u202e" not in found["refused"]
    assert "<img src=x onerror=alert(1)>" in found["shown"]
    assert found["made"] == 0
    assert not found["inline"]
    assert found["away"] == "TypeError"


def test_completion_and_meanings_come_from_the_schema() -> None:
    found = seen("schema")
    assert "dwconv" in found["values"]
    assert {"k", "s", "m"} <= {*found["keys"]}
    assert "c" not in found["keys"]  # a depthwise convolution has no width of its own
    assert found["meaning"].startswith("input – channels, resolution")


def test_the_built_page_names_no_other_host() -> None:
    for path in (Path(BUILT, "index.html"), Path(BUILT, "style.css")):
        assert not re.search(r"(?:https?:)?//[a-z]", path.read_text(encoding="utf-8")), path
