"""A whole program in Python, with the openai package, that knows nothing of tgd but the lines it reads and writes.

It returns no trace: with `tgd optimize --proxy` its calls go through tgd, which sees them. Reads {"id", "parameters": {"plan", "answer"},
"inputs": {"question"}} a line and answers {"id", "output"}. Standard output belongs to the protocol.
"""

import json
import os
import sys

from openai import OpenAI

MODEL = os.environ.get("AGENT_MODEL", "gpt-4o-mini")


def chat(client, prompt, question):
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": question}]
    return client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content


def main():
    client = OpenAI()  # OPENAI_BASE_URL and OPENAI_API_KEY are in the environment
    for line in sys.stdin:
        asked = json.loads(line)
        prompts, question = asked["parameters"], asked["inputs"]["question"]
        try:
            plan = chat(client, prompts["plan"], question)
            answer = {"output": chat(client, prompts["answer"], f"{question}\n\nThe plan: {plan}")}
        except Exception as error:  # one sample fails, not the run
            answer = {"problem": str(error)}
        print(json.dumps({"id": asked["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
