"""python3 -m unittest discover -s examples/functions"""

import hashlib
import json
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import prepare

SCHEMA = {"type": "dict", "required": ["place"], "properties": {
    "place": {"type": "string", "description": "Where"}, "days": {"type": "float"}, "unit": {"type": "string", "enum": ["C", "F"]},
    "type": {"type": "tuple", "items": {"type": "any"}}}}


class Schema(unittest.TestCase):
    def test_types_are_those_of_json_schema(self):
        got = prepare.json_schema(SCHEMA)
        self.assertEqual(got["type"], "object")
        self.assertEqual(got["properties"]["days"], {"type": "number"})
        self.assertEqual(got["properties"]["type"], {"type": "array", "items": {}})  # a property may be called type
        self.assertEqual(got["properties"]["unit"]["enum"], ["C", "F"])


class Answers(unittest.TestCase):
    schema = prepare.json_schema(SCHEMA)

    def answers(self, request, **accepted):
        return prepare.answers(accepted, self.schema, request)

    def test_the_first_accepted_value_comes_first(self):
        self.assertEqual(self.answers("in NY", place=["New York", "NYC"], days=[2.0]),
                         [{"place": "New York", "days": 2}, {"place": "NYC", "days": 2}])

    def test_an_optional_argument_is_left_out_unless_named(self):
        self.assertEqual(self.answers("weather in Rome", place=["Rome"], unit=["C", ""]), [{"place": "Rome"}, {"place": "Rome", "unit": "C"}])
        self.assertEqual(self.answers("Rome, in C", place=["Rome"], unit=["", "C"]), [{"place": "Rome", "unit": "C"}, {"place": "Rome"}])

    def test_arguments_keep_the_order_of_the_schema(self):
        self.assertEqual(list(self.answers("x", days=[1], place=["A"])[0]), ["place", "days"])

    def test_values_that_break_the_schema_are_not_accepted(self):
        self.assertEqual(self.answers("x", place=["A"], unit=["K"]), [])
        self.assertEqual(self.answers("x", place=[3]), [])

    def test_a_required_argument_is_never_left_out(self):
        self.assertEqual(self.answers("x", place=["A", ""]), [{"place": "A"}])
        self.assertEqual(self.answers("x", days=[1]), [])  # place is missing

    def test_there_are_at_most_sixteen_alternatives_and_they_differ(self):
        many = self.answers("x", place=list("abcdefghi"), days=list(range(1, 10)))
        self.assertEqual(len(many), 1 + prepare.MAX_ALTERNATIVES)
        self.assertEqual(len({json.dumps(m) for m in many}), len(many))

    def test_nested_values_have_lists_of_their_own(self):
        nested = {"type": "object", "properties": {"to": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}},
                  "all": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}}}}}}
        got = prepare.answers({"to": [{"b": ["x", ""], "a": [1]}], "all": [[{"n": [1.5]}, {"n": [2.0]}]]}, nested, "x")
        self.assertEqual(got[0], {"to": {"a": 1, "b": "x"}, "all": [{"n": 1.5}, {"n": 2}]})
        self.assertIn({"to": {"a": 1}, "all": [{"n": 1.5}, {"n": 2}]}, got)


class Wheel(unittest.TestCase):
    def test_a_wheel_with_another_hash_is_refused(self):
        with tempfile.TemporaryDirectory() as d:
            wheel = Path(d) / prepare.WHEEL
            wheel.write_bytes(b"not it")
            with self.assertRaises(SystemExit) as caught:
                prepare.check(wheel)
            self.assertIn("SHA-256 differs", str(caught.exception))

    def test_cases_become_rows(self):
        case = {"id": "s_0", "question": [[{"role": "user", "content": " Weather in Rome? "}]],
                "function": [{"name": "w.get", "description": "d", "parameters": SCHEMA}]}
        long = {**case, "id": "s_1", "question": [[{"role": "user", "content": "x" * 999}]]}
        twice = {**case, "id": "s_2"}
        truth = [{"w.get": {"place": ["Rome"]}}]
        with tempfile.TemporaryDirectory() as d:
            wheel = Path(d) / prepare.WHEEL
            with zipfile.ZipFile(wheel, "w") as z:
                for name in prepare.SETS:
                    cases = [case, long, twice] if name == prepare.SETS[0] else []
                    z.writestr(f"bfcl_eval/data/BFCL_v4_{name}.json", "".join(json.dumps(c) + "\n" for c in cases))
                    z.writestr(f"bfcl_eval/data/possible_answer/BFCL_v4_{name}.json",
                               "".join(json.dumps({"id": c["id"], "ground_truth": truth}) + "\n" for c in cases))
            with mock.patch.object(prepare, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest()):
                prepare.check(wheel)
            rows, dropped = prepare.convert(wheel, 700)
        self.assertEqual([r["id"] for r in rows], ["s_0"])
        self.assertEqual(rows[0]["output"], {"name": "w.get", "arguments": {"place": "Rome"}})
        self.assertEqual((rows[0]["input"]["request"], rows[0]["group"]), ("Weather in Rome?", "w.get"))
        self.assertEqual(sum(dropped.values()), 2)


if __name__ == "__main__":
    unittest.main()
