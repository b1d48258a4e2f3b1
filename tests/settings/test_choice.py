"""What settings make of the rules."""

import pytest

from archlint.choice import chosen
from archlint.engine import load
from archlint.errors import UsageError
from archlint.settings import Settings

RULES = load()


def names(settings: Settings, *options: str) -> set[str]:
    return {rule.name for rule in chosen(RULES, settings, options).rules}


def test_defaults_leave_out_what_must_be_asked_for():
    assert {rule.name for rule in RULES if rule.default} == names(Settings())


def test_extend_select_adds_to_the_defaults():
    assert names(Settings()) | {"raw-image-input"} == names(Settings(extend_select=("raw-image-input",)))


def test_ignore_takes_away_from_what_is_selected():
    left = names(Settings(select=("budget",), ignore=("macs-*",)))
    assert "parameters-over-budget" in left
    assert "macs-over-budget" not in left


def test_a_level_of_the_settings_replaces_that_of_the_rule():
    rules = chosen(RULES, Settings(severity={"dead-node": "error"})).rules
    assert ("error",) == rules.by_name["dead-node"].severities


def test_options_of_the_command_line_win_over_the_settings():
    settings = Settings(options={"parameters-over-budget": {"max": 5}})
    picked = chosen(RULES, settings, ["parameters-over-budget.max=7"])
    assert 7 == picked.options["parameters-over-budget"]["max"]


def test_options_of_rules_that_take_no_part_are_checked_and_left_out():
    settings = Settings(select=("graph",), options={"parameters-over-budget": {"max": 5}})
    assert "parameters-over-budget" not in chosen(RULES, settings).options


def test_a_target_reaches_every_rule_that_has_one():
    options = chosen(RULES, Settings(target=("gpu",))).options
    assert ("gpu",) == options["misaligned-channels"]["target"]
    assert ("gpu",) == options["unsupported-on-target"]["target"]
    assert "parameters-over-budget" not in options


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters-over-budget.max", "is written RULE.NAME=VALUE"),
        ("parameters-over-budget.mx=5", "has no option 'mx'; did you mean 'max'?"),
        ("parameter-over-budget.max=5", "did you mean 'parameters-over-budget'?"),
        ("parameters-over-budget.max=many", "is of type int, not 'many'"),
        ("parameters-over-budget.max=-1", "below its minimum"),
    ],
)
def test_an_option_that_cannot_be_is_refused(text, said):
    with pytest.raises(UsageError, match="(?s)" + said.replace("?", r"\?")):
        chosen(RULES, Settings(), [text])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(path="a.yaml", select=("heads",), lines={"select": 4}), "a.yaml:4: no rule or family"),
        (
            Settings(
                path="a.yaml", severity={"dead-nod": "info"}, lines={"severity.dead-nod": 3, "severity": 2}
            ),
            "a.yaml:3: there is no rule 'dead-nod'; did you mean 'dead-node'?",
        ),
        (
            Settings(path="a.yaml", options={"dead-node": {"x": 1}}, lines={"options": 7}),
            "a.yaml:7: rule 'dead-node' has no option 'x'",
        ),
    ],
)
def test_a_name_in_the_settings_that_does_not_exist_is_shown_where_it_stands(settings, said):
    with pytest.raises(UsageError) as caught:
        chosen(RULES, settings)
    assert said in str(caught.value)
