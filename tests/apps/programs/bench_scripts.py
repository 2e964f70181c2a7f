"""Tests of the arithmetic in bench's scripts: python3 bench_scripts.py ROOT"""
import json
import math
import pathlib
import struct
import sys
import tempfile
import types
import unittest

ROOT = pathlib.Path(sys.argv.pop())
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench" / "peers")]
import run  # noqa: E402
import train_precisions  # noqa: E402


class Peers(unittest.TestCase):
    def test_error_is_over_the_rms_of_what_is_right(self):
        self.assertAlmostEqual(run.error_over_rms([3, 4.5], [3, 4]), 0.5 / 5)

    def test_the_best_peer_is_chosen_in_each_pair_and_int8_is_none(self):
        row = lambda peer, theirs: run.Row("resnet18", "inference", 16, peer, theirs, [30, 60], "")
        best = run.best_of([row("torch", [10, 20]), row("openvino-bf16", [15, 10]),
                            row("openvino-int8", [99, 99]), row("hanok-f32", [98, 98])])
        self.assertEqual(best.theirs, [15, 20])
        self.assertEqual(best.ratios(), [2, 3])

    def test_safetensors_are_read(self):
        header = json.dumps({"__metadata__": {"a": "b"},
                             "logits": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        with tempfile.NamedTemporaryFile() as file:
            file.write(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 0.5, -2))
            file.flush()
            self.assertEqual(run.read_safetensors(file.name), {"logits": [0.5, -2]})

    def test_accuracy_holds_every_engine_and_precision(self):
        options = types.SimpleNamespace(precision="int16", pairs=1, threads=2, device="cpu")
        rows = [run.Row("resnet18", "inference", 16, peer, [10], [30], "", 0.1)
                for peer in ("torch", "openvino-int8", "hanok-f32", "best")]
        found = json.loads(run.accuracy_json(rows, options, {("resnet18", 16): 0.01}))["accuracy"]
        self.assertEqual([(entry["engine"], entry["precision"]) for entry in found],
                         [("hanok", "int16"), ("PyTorch", "f32"), ("OpenVINO", "int8"), ("hanok", "f32")])
        self.assertEqual(found[0]["images_per_second"], 30)


class Training(unittest.TestCase):
    def test_scores_are_compared_seed_by_seed(self):
        found = train_precisions.compare([0.80, 0.90], [0.81, 0.89])
        self.assertAlmostEqual(found["difference"], 0)
        self.assertAlmostEqual(found["difference_deviation"], 0.02 / math.sqrt(2))
        self.assertEqual(found["verdict"], "yes")
        self.assertEqual(train_precisions.compare([0.80, 0.81], [0.70, 0.71])["verdict"], "NO")
        self.assertEqual(train_precisions.compare([0.80], [0.80])["verdict"], "")

    def test_losses_are_averaged_over_steps(self):
        self.assertEqual(train_precisions.smoothed([1.0] * 10 + [2.0, 4.0]), [1.0, 3.0])

    def test_reports_what_is_finished(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder)
            for name, score in (("seed0-f32", 0.5), ("seed0-int16", 0.6), ("seed1-f32", 0.7)):
                (out / "competition" / name / "fold_0").mkdir(parents=True)
                (out / "competition" / name / "summary.json").write_text(json.dumps({"macro_f1": score}))
                (out / "competition" / name / "fold_0" / "steps.csv").write_text("epoch,step,loss\n1,1,2\n1,2,1\n")
            options = types.SimpleNamespace(out=out, precisions="f32,int16", tasks="photographs,competition", seeds=5,
                                            photographs=None)
            experiment = train_precisions.Experiment(options)
            self.assertEqual(experiment.tasks, ["competition"])
            self.assertEqual(experiment.finished_seeds("competition"), [0])
            self.assertIn("| 1 | 0.5000 (nan) | int16 | 0.6000 (nan) | +0.1000 (nan) |  |",
                          train_precisions.table(experiment))
            chart = train_precisions.chart(experiment, "competition", [0])
            self.assertEqual([series["y"] for series in chart["series"]], [[1.5], [1.5]])


if __name__ == "__main__":
    unittest.main()
