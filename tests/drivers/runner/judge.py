"""Decides whether what the clients saw is right, and whether the proxy made a difference."""

import re

# What may differ between two runs of the same check without meaning anything: connection ids and port numbers in messages.
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
PORT = re.compile(r"\b\d{5}\b(?!\))")


def neutral(outcome):
    """The outcome without what may differ from run to run."""
    if isinstance(outcome, dict):
        return {
            key: PORT.sub("PORT", UUID.sub("UUID", item)) if key in ("message", "failure") else neutral(item)
            for key, item in outcome.items()
        }
    if isinstance(outcome, list):
        return [neutral(item) for item in outcome]
    return outcome


def fits(expect, got):
    """Whether an outcome has all that is expected; an error's message is the server's business."""
    return isinstance(got, dict) and all(got.get(key) == item for key, item in expect.items())


def short(value):
    """A value for a sentence: what is too long to be read is cut."""
    text = str(value)
    return text if len(text) <= 600 else f"{text[:300]} ... {text[-200:]} ({len(text)} characters)"


def shortcoming(check, outcome):
    """What is wrong with one outcome of a check, or None."""
    if outcome is None:
        return "no outcome: the client program ended early"
    if check["refused"]:
        return None if "error" in outcome.get("connect", {}) else f"login: expected an error from the server, got {outcome.get('connect')}"
    if not fits(check["connect"], outcome.get("connect")):
        return f"login: expected {check['connect']}, got {outcome.get('connect')}"
    steps = outcome.get("steps", [])
    for number, step in enumerate(check["steps"]):
        got = steps[number] if number < len(steps) else None
        if not fits(step["expect"], got):
            return f"step {number + 1}, {step['do']} {step.get('sql', '')!r} {short(step.get('params', ''))}: expected {short(step['expect'])}, got {short(got)}"
    return None


def verdict(check, outcomes):
    """What is wrong with a check, given its outcome on each route: a list of sentences, empty if nothing."""
    wrong = [f"{route}: {why}" for route, outcome in outcomes.items() if (why := shortcoming(check, outcome))]
    if check["refused"]:
        # A server and the proxy say so each in its own words.
        return wrong
    first, *others = [(route, neutral(outcome)) for route, outcome in outcomes.items()]
    wrong += [f"{route} differs from {first[0]}: {short(other)} instead of {short(first[1])}" for route, other in others if other != first[1]]
    return wrong
