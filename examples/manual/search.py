"""Retrieval as a stage of a task: the paragraphs of the manual that fit the query best, by SQLite's full-text search.

Reads {"id", "inputs": {"question", "words"}} a line and answers {"id", "output"}. Asked for feedback, which has "output" and "feedback"
beside the inputs, it says itself how the words should change. Standard output belongs to the protocol.
"""

import json
import re
import sqlite3
import sys

WORD = re.compile(r"\w+")
PARAGRAPHS = 2


def open_manual(path):
    manual = sqlite3.connect(":memory:")
    manual.execute("CREATE VIRTUAL TABLE manual USING fts5(title, text, tokenize = 'porter')")
    with open(path, encoding="utf-8") as lines:
        manual.executemany("INSERT INTO manual VALUES (:title, :text)", map(json.loads, lines))
    return manual


def search(manual, inputs):
    words = WORD.findall(" ".join(inputs.values()).lower())
    query = " OR ".join(f'"{word}"' for word in dict.fromkeys(words))
    rows = manual.execute("SELECT title, text FROM manual WHERE manual MATCH ? ORDER BY rank LIMIT ?", (query, PARAGRAPHS))
    return "\n\n".join(f"{title}: {text}" for title, text in rows)


def main():
    manual = open_manual("manual.jsonl")
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {"id": asked["id"]}
        if "feedback" in asked:
            found = asked["output"] or "nothing"
            answer["feedback"] = {"words": f"With these words the search found: {found[:300]}\nOf that was said: {asked['feedback']}"}
        else:
            answer["output"] = search(manual, asked["inputs"])
            if not answer["output"]:
                answer = {"id": asked["id"], "problem": "the search found nothing; other words may"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
