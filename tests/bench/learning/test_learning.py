"""Tests of the bench itself: its proxy, its statistics, its tasks and its arms. No model, no peer, no network."""

import concurrent.futures
import json
import pathlib
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import arms
import bench
import report
import stats
import tasks
from fake_model import FakeModel
from proxy import Proxy, Upstream

ROLES = {"student": {"model": "small", "temperature": 0, "max_tokens": 24},
         "teacher": {"model": "large", "temperature": 0.7, "max_tokens": 1024}}


def ask(proxy, body, path="/chat/completions"):
    """(status, reply)"""
    request = urllib.request.Request(proxy.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, json.load(problem)


def question(role="student", **more):
    return {"model": role, "messages": [{"role": "user", "content": "Sentiment?"}], **more}


class ProxyTest(unittest.TestCase):
    def setUp(self):
        self.model = FakeModel()
        self.model.__enter__()
        self.addCleanup(self.model.__exit__)

    def proxy(self, limit=None, seed=1):
        proxy = Proxy(Upstream(self.model.url), ROLES, limit, seed)
        proxy.__enter__()
        self.addCleanup(proxy.__exit__)
        return proxy

    def test_calls_and_tokens_are_counted_for_each_role(self):
        proxy = self.proxy()
        for role in ("student", "teacher", "student"):
            self.assertEqual(ask(proxy, question(role))[0], 200)
        self.assertEqual(proxy.figures(), {"calls": {"student": 2, "teacher": 1}, "prompt_tokens": {"student": 20, "teacher": 10},
                                           "completion_tokens": {"student": 4, "teacher": 2}, "refused": 0, "failed": 0})

    def test_what_is_beyond_the_limit_is_refused_and_not_sent(self):
        proxy = self.proxy(limit=2)
        statuses = [ask(proxy, question())[0] for _ in range(4)]
        self.assertEqual(statuses, [200, 200, 403, 403])
        self.assertEqual(len(self.model.asked), 2)
        self.assertEqual(proxy.figures()["refused"], 2)
        self.assertEqual(ask(proxy, question())[1]["error"]["type"], "budget_used_up")

    def test_the_limit_holds_when_all_ask_at_once(self):
        proxy = self.proxy(limit=10)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda _: ask(proxy, question())[0], range(40)))
        self.assertEqual(statuses.count(200), 10)
        self.assertEqual(len(self.model.asked), 10)

    def test_several_choices_are_several_calls(self):
        proxy = self.proxy(limit=3)
        self.assertEqual(ask(proxy, question(n=2))[0], 200)
        self.assertEqual(ask(proxy, question(n=2))[0], 403)
        self.assertEqual(proxy.total(), 2)

    def test_a_role_decides_on_model_temperature_and_length(self):
        proxy = self.proxy()
        for body in (question(), question(max_tokens=4000, temperature=1.0), question("openai/teacher", max_completion_tokens=50)):
            ask(proxy, body)
        sent = [(b["model"], b["temperature"], b["max_tokens"]) for b in self.model.asked]
        self.assertEqual(sent, [("small", 0, 24), ("small", 1.0, 24), ("large", 0.7, 50)])
        self.assertFalse(any("max_completion_tokens" in b for b in self.model.asked))

    def test_seeds_depend_on_run_request_and_repetition_and_on_nothing_else(self):
        def seeds(seed):
            del self.model.asked[:]
            proxy = self.proxy(seed=seed)
            for body in (question(), question(), question("teacher")):
                ask(proxy, body)
            return [b["seed"] for b in self.model.asked]
        first = seeds(1)
        self.assertEqual(first, seeds(1))
        self.assertEqual(len(set(first + seeds(2))), 6)

    def test_what_the_endpoint_fails_to_answer_is_counted_and_handed_on(self):
        proxy = self.proxy(limit=2)
        self.model.status = 500
        self.assertEqual(ask(proxy, question())[0], 500)
        self.assertEqual((proxy.total(), proxy.figures()["failed"]), (1, 1))

    def test_an_endpoint_that_is_not_there_is_a_502(self):
        proxy = Proxy(Upstream("http://127.0.0.1:9/v1"), ROLES)
        self.assertEqual(proxy.handle("/v1/chat/completions", question())[0], 502)

    def test_what_is_not_understood_is_refused_without_being_counted(self):
        proxy = self.proxy()
        self.assertEqual(ask(proxy, question("gpt-4o"))[0], 404)
        self.assertEqual(ask(proxy, question(), "/embeddings")[0], 404)
        self.assertEqual(ask(proxy, question(stream=True))[0], 400)
        self.assertEqual((proxy.total(), self.model.asked), (0, []))


class StatisticsTest(unittest.TestCase):
    def test_the_sign_flip_of_one_task_is_the_one_by_hand(self):
        # Centred: -1, 0, 1, times sqrt(3/2); the eight sums are 0 four times and +-2.449 four times; seen is 6.
        self.assertAlmostEqual(stats.sign_flip({"a": [1, 2, 3]}), 1 / 9)
        # Seen is 0: everything is as far away.
        self.assertAlmostEqual(stats.sign_flip({"a": [-1, 0, 1]}), 1.0)

    def test_what_differs_between_tasks_is_no_noise(self):
        steady = {"a": [10.0, 10.1, 9.9], "b": [1.0, 1.1, 0.9]}
        self.assertLess(stats.sign_flip(steady), 0.05)
        noisy = {"a": [10.0, -9.0, 0.5], "b": [1.0, -6.1, 7.9]}
        self.assertGreater(stats.sign_flip(noisy), 0.3)

    def test_one_seed_a_task_says_nothing_of_chance(self):
        self.assertEqual(stats.sign_flip({"a": [5.0], "b": [4.0]}), 1.0)

    def test_without_an_effect_p_is_small_as_seldom_as_it_says(self):
        import random
        chance = random.Random(3)
        ps = [stats.sign_flip({t: [chance.gauss(0, 1) for _ in range(5)] for t in "abc"}, draws=300, seed=i) for i in range(300)]
        self.assertLess(sum(p < 0.05 for p in ps) / len(ps), 0.09)
        self.assertGreater(sum(p < 0.5 for p in ps) / len(ps), 0.4)

    def test_holm_is_the_one_of_the_textbook(self):
        adjusted = stats.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
        for name, p in {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06}.items():
            self.assertAlmostEqual(adjusted[name], p)

    def test_intervals_hold_the_mean_and_narrow_with_more(self):
        few = {"a": [[0, 1] * 10, [1, 0] * 10]}
        many = {"a": [[0, 1] * 200, [1, 0] * 200]}
        for low, high in map(stats.item_seed_interval, (few, many)):
            self.assertLess(low, 0.5)
            self.assertGreater(high, 0.5)
        widths = [high - low for low, high in map(stats.item_seed_interval, (few, many))]
        self.assertLess(widths[1], widths[0] / 2)

    def test_clusters_are_drawn_whole(self):
        alike = stats.cluster_interval([[0] * 50, [1] * 50] * 5)
        mixed = stats.cluster_interval([[0, 1] * 25] * 10)
        self.assertEqual(mixed, (0.5, 0.5))
        self.assertGreater(alike[1] - alike[0], 0.3)

    def test_the_paired_test_is_exact(self):
        self.assertAlmostEqual(stats.worse_by_paired_test([1] * 5, [0] * 5), 1 / 32)
        self.assertEqual(stats.worse_by_paired_test([1, 0], [1, 0]), 1.0)
        self.assertAlmostEqual(stats.worse_by_paired_test([1, 1, 0], [0, 0, 1]), 0.5)

    def test_percentiles_are_values_that_occurred(self):
        self.assertEqual(stats.percentiles(range(1, 101)), (3, 98))


class TaskTest(unittest.TestCase):
    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        rows = [{"text": f"text {i}", "label": ("good", "bad")[i % 2]} for i in range(150)]
        path = pathlib.Path(folder.name) / "tweets.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return folder.name

    def test_the_parts_are_the_file_in_order_and_share_nothing(self):
        task = tasks.load("tweets", self.folder(), 20)
        self.assertEqual([len(task.train), len(task.validation), len(task.test)], [60, 60, 20])
        self.assertEqual(task.test[0]["text"], "text 120")
        self.assertEqual(task.labels(), ["bad", "good"])

    def test_the_tickets_come_with_the_repository(self):
        self.assertEqual(len(tasks.load("tickets", None).labels()), 5)

    def test_right_is_the_same_text_or_number(self):
        cases = [("exact", " good\n", "good", True), ("exact", "Good", "good", False), ("exact", "good.", "good", False),
                 ("number", "12", "12", True), ("number", " 12.0 ", "12", True), ("number", "twelve", "12", False),
                 ("number", "12 things", "12", False)]
        for score, reply, label, right in cases:
            with self.subTest(reply=reply):
                self.assertEqual(tasks.is_right(score, reply, label), right)

    def test_a_text_goes_into_the_last_message_only(self):
        program = {"messages": [{"role": "system", "content": "{text} stands for a text"}, {"role": "user", "content": "<{text}>"}]}
        self.assertEqual([m["content"] for m in tasks.request(program, "{a}")], ["{text} stands for a text", "<{a}>"])

    def test_a_pattern_takes_the_answer_out_of_a_reply(self):
        program = {"messages": [], "pattern": r"\[\[ ## label ## \]\]\s*(.*?)\s*(?:\[\[|$)"}
        self.assertEqual(tasks.answer(program, "[[ ## label ## ]]\ngood\n\n[[ ## completed ## ]]"), "good")
        self.assertEqual(tasks.answer(program, "[[ ## label ## ]]\ngood"), "good")
        self.assertEqual(tasks.answer(program, "so good"), "so good")

    def test_what_is_free_uses_training_samples_only(self):
        task = tasks.load("tweets", self.folder())
        for name, needle in (("sentence", "nothing else: bad, good."), ("examples6", "Text: text ")):
            prompt = arms.free(name, task.prompts[0], task, task.train, 1)["messages"][0]["content"]
            self.assertIn(task.prompts[0], prompt)
            self.assertIn(needle, prompt)
        shown = arms.balanced(task.train, 6, 1)
        self.assertEqual(sorted(row["label"] for row in shown), ["bad"] * 3 + ["good"] * 3)
        self.assertEqual(shown, arms.balanced(task.train, 6, 1))
        self.assertNotEqual(shown, arms.balanced(task.train, 6, 2))

    def test_settings_are_merged_into_the_task(self):
        task = tasks.load("tweets", self.folder())
        document = arms.tgd_task(task, "http://127.0.0.1:9/v1", 300, 5, {"training": {"epochs": 1}, "cache": None})
        self.assertEqual(document["training"], {"epochs": 1, "batch_size": 16, "seed": 5})
        self.assertNotIn("cache", document)
        self.assertEqual(document["budget"], {"calls": 300})


class ResultsTest(unittest.TestCase):
    def test_a_line_that_was_cut_off_is_run_again_and_breaks_no_other(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "new/runs.jsonl"
            bench.append(path, {"a": "one\u2028line"})
            with open(path, "a", encoding="utf-8") as file:
                file.write('{"a": 2, "b"')
            bench.append(path, {"a": 3})
            self.assertEqual([line["a"] for line in bench.lines(path)], ["one\u2028line", 3])


class ReportTest(unittest.TestCase):
    def lines(self):
        lines = []
        for arm, wins in (("start", 0), ("tgd", 2), ("gepa", 3)):
            for task in ("tweets", "banking"):
                for seed in (1, 2, 3):
                    end = "1" * (wins + seed) + "0" * (10 - wins - seed)
                    lines.append({"arm": arm, "task": task, "seed": seed, "budget": 0 if arm == "start" else 300, "model": "m",
                                  "start": "1110000000", "end": end, "calls": {"student": 1, "teacher": 1}, "seconds": 1.0,
                                  "prompt_tokens": {"student": 3}, "completion_tokens": {"student": 4}})
        return lines

    def test_the_table_has_a_line_an_arm_with_its_distance_from_the_reference(self):
        text = report.run_table(report.Runs(self.lines()), "tgd", 300)
        rows = {line.split("|")[1].strip(): line for line in text.splitlines()[2:]}
        self.assertEqual(list(rows), ["start", "tgd", "gepa"])
        self.assertIn("| 40.0 (3) | 40.0 (3) |", rows["tgd"])
        self.assertIn("+10.0 (", rows["gepa"])
        self.assertIn("-20.0 (", rows["start"])

    def test_the_later_of_two_lines_of_a_run_counts(self):
        lines = self.lines()
        again = {**lines[-1], "end": "1" * 10}
        self.assertEqual(report.Runs([*lines, again]).of("gepa", 300)["banking", 3]["end"], "1" * 10)

    def test_the_plots_are_well_formed(self):
        import xml.etree.ElementTree
        for theme in report.THEMES:
            root = xml.etree.ElementTree.fromstring(report.plot(report.Runs(self.lines()), theme))
            self.assertEqual(len(root.findall("{http://www.w3.org/2000/svg}polyline")), 4)

    def test_proposals_count_what_is_broken_and_fixed(self):
        lines = [{"task": "t", "arm": "a", "state": i, "before": "1100", "after": after, "calls": {"teacher": 2},
                  "prompt_tokens": {}, "completion_tokens": {}} for i, after in enumerate(("1110", "1000"))]
        row = report.proposal_table(lines).splitlines()[2]
        self.assertIn("| +0.0 (-25.0 to +25.0) | 50.0 % | 25.0 % | 25.0 % | 2.0 | 2.0 | 0 |", row)


if __name__ == "__main__":
    unittest.main()
