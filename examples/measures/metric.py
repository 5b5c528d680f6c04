"""Scores a measure: 1 within 1 % of the expected number, half of it within 10 %, else 0. See "A metric of your own" in tgd's README.

Standard output belongs to the protocol; print() what people are to read with file=sys.stderr.
"""

import json
import re
import sys

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def measure(prediction, target):
    """The score and, unless all is well, what to tell the author of the prompt."""
    numbers = NUMBER.findall(prediction.replace(",", ""))
    if not numbers:
        return 0, f"There is no number in the answer; {target} was expected."
    expected = float(target)
    error = abs(float(numbers[-1]) - expected) / max(abs(expected), 1e-9)
    if error <= 0.01:
        return 1, None
    words = f"The answer, {numbers[-1]}, is {error:.1%} off; {target} was expected."
    return (0.5 if error <= 0.1 else 0), words


for line in sys.stdin:
    sample = json.loads(line)
    score, feedback = measure(sample["prediction"], sample["target"])
    print(json.dumps({"id": sample["id"], "score": score, "feedback": feedback}), flush=True)
