"""The judge must not let anything pass: each way for a check to fail, once."""

import unittest

from judge import verdict

CHECK = {"refused": False, "connect": {"done": True}, "steps": [{"do": "query", "sql": "SELECT 1", "expect": {"error": 208}}]}


def outcome(number=208, message="m", connect=None):
    return {"connect": connect or {"done": True}, "steps": [{"error": number, "message": message}]}


class Verdict(unittest.TestCase):
    def check(self, direct, proxied, *words, check=CHECK):
        wrong = verdict(check, {"direct": direct, "proxied": proxied})
        self.assertEqual(len(wrong), len(words), wrong)
        for sentence, word in zip(wrong, words):
            self.assertIn(word, sentence)

    def test_equal_and_expected_outcomes_pass(self):
        self.check(outcome(), outcome())

    def test_a_wrong_outcome_fails_even_if_both_routes_agree(self):
        self.check(outcome(1), outcome(1), "direct: step 1", "proxied: step 1")

    def test_a_message_the_proxy_changed_fails(self):
        self.check(outcome(), outcome(message="other"), "proxied differs from direct")

    def test_ids_and_ports_may_differ(self):
        ids = ("01234567-89ab-cdef-0123-456789abcdef", "76543210-89ab-cdef-0123-456789abcdef")
        self.check(outcome(message=f"{ids[0]} at 11433"), outcome(message=f"{ids[1]} at 54321"))

    def test_a_missing_outcome_fails(self):
        self.check(outcome(), None, "proxied: no outcome", "differs")

    def test_a_missing_step_fails(self):
        self.check(outcome(), {"connect": {"done": True}, "steps": []}, "proxied: step 1", "differs")

    def test_a_failed_login_fails(self):
        self.check(outcome(), outcome(connect={"error": 18456}), "proxied: login", "differs")

    def test_a_refusal_needs_an_error_and_may_differ(self):
        refused = {**CHECK, "refused": True, "steps": []}
        self.check(outcome(connect={"error": 1}), outcome(connect={"error": 2}), check=refused)
        self.check(outcome(connect={"error": 1}), outcome(connect={"failure": "reset"}), "proxied: login", check=refused)
        self.check(outcome(), outcome(connect={"error": 2}), "direct: login", check=refused)


if __name__ == "__main__":
    unittest.main()
