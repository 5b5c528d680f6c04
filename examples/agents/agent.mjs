// A whole program in Node whose two prompts are optimized: it plans, then answers, and says in its trace what it asked with which prompt.
//
// Reads {"id", "parameters": {"plan", "answer"}, "inputs": {"question"}} a line and answers {"id", "output", "trace"}; several at once.
// The endpoint is OPENAI_BASE_URL. Standard output belongs to the protocol; console.error() is for people.
import {createInterface} from 'node:readline';

const base = process.env.OPENAI_BASE_URL;
const model = process.env.AGENT_MODEL ?? 'gpt-4o-mini';

async function chat(messages) {
  const response = await fetch(`${base}/chat/completions`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', Authorization: `Bearer ${process.env.OPENAI_API_KEY ?? 'none'}`},
    body: JSON.stringify({model, messages})
  });
  if (!response.ok) throw new Error(`HTTP status ${response.status}: ${(await response.text()).slice(0, 300)}`);
  return (await response.json()).choices[0].message.content;
}

async function solve({parameters, inputs}) {
  const trace = [];
  const ask = async (parameter, question) => {
    const messages = [{role: 'system', content: parameters[parameter]}, {role: 'user', content: question}];
    const reply = await chat(messages);
    trace.push({parameter, messages, reply});
    return reply;
  };
  const plan = await ask('plan', inputs.question);
  const output = await ask('answer', `${inputs.question}\n\nThe plan: ${plan}`);
  return {output, trace};
}

for await (const line of createInterface({input: process.stdin})) {
  const asked = JSON.parse(line);
  solve(asked)
    .catch((error) => ({problem: error.message}))
    .then((answer) => process.stdout.write(JSON.stringify({id: asked.id, ...answer}) + '\n'));
}
