"""Windows of time as Airflow fills them in when a run starts: of the run's own moment, in UTC.

A run that starts late, or again, has the moment for which it was planned, so it asks for the same.
"""

from __future__ import annotations

#: A run that a person started may have no planned moment.
_MOMENT = "(dag_run.logical_date or dag_run.run_after)"

MOMENT = "{{ " + _MOMENT + ".strftime('%Y-%m-%dT%H:%M:%SZ') }}"


def midnight(days_before: int = 0) -> str:
    """Return the beginning of the run's UTC day, or of one before it."""
    day = f"({_MOMENT} - macros.timedelta(days={days_before}))"
    return "{{ " + day + ".strftime('%Y-%m-%dT00:00:00Z') }}"


def of_day(days_before: int = 1) -> tuple[str, ...]:
    """Return the options that name a whole UTC day, the one before the run's by default."""
    return ("--start", midnight(days_before), "--end", midnight(days_before - 1))


def given(option: str, name: str, default: str = "") -> str:
    """Return the option with what a person named when starting the run, or the default's value.

    Where there is neither, the word comes out empty, and the task leaves it out.
    """
    value = f"params.{name}"
    if not default:
        return "{{ '" + option + "=' ~ " + value + " if " + value + " else '' }}"
    return option + "={% if " + value + " %}{{ " + value + " }}{% else %}" + default + "{% endif %}"
