// A run folder made by hand, small enough to work out what its report has to say: four validation samples, the first values and
// three steps. Step 1 is taken, step 2 rejected by the gate, in step 3 no reply could be used.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "support/temporary_folder.hpp"

namespace tgd::test {

/// By file; each file is written by a line of its own here, so that a test can take one out or cut it.
inline std::map<std::string, std::string> hand_made_run() {
  std::map<std::string, std::string> files;
  files["task.json"] = R"({"name": "mails",
    "parameters": {"prompt": {"role": "instructions", "value": "Sort the mail."}},
    "evaluator": {"type": "exact_match"}}
)";
  files["result.json"] = R"({"name": "mails", "status": "failed", "error": "the endpoint went away", "ending": "epochs",
    "accuracy": {"validation": {"before": 0.25, "after": 0.5, "samples": 4}},
    "parameters": {"prompt": {"role": "instructions", "first": "Sort the mail.", "best": "Sort the mail: yes or no."}},
    "steps": 3, "best": {"epoch": 1, "step": 1}, "simulated": false,
    "models": {"student": {"provider": "openai", "model": "small"}, "teacher": {"provider": "openai", "model": "large"}},
    "cost": {"models": {}, "unknown_models": ["large"],
             "total": {"usage": {"calls": 9, "prompt_tokens": 700, "completion_tokens": 50}, "failed": 1, "cost_usd": null, "unknown_calls": 2}},
    "diagnosis": {"form": {"kind": "labels", "answers": 4, "labels": ["no", "yes"]}, "samples": 4, "solved": 2, "part": "validation",
                  "findings": [{"kind": "filtered", "count": 1, "samples": [2]}, {"kind": "no_label", "count": 1, "samples": [3]}],
                  "text": "Every right answer is exactly one of these: no, yes.\nOf 4 replies 2 are right."},
    "seconds": 61.5, "version": "0.1.0"}
)";
  files["metrics.jsonl"] =
      R"({"kind":"race","epoch":1,"step":0,"accepted":false,"best":"a list of labels","proposals":[{"name":"a list of labels","samples":4,"score":0.25},{"name":"an example","samples":0,"score":0,"reason":"it is too long"}]}
{"kind":"validation","epoch":0,"step":0,"score":0.25,"samples":4,"failed":0,"metrics":{},"is_best":true}
{"kind":"step","epoch":1,"step":1,"score":0.5,"samples":2,"failed":0,"metrics":{},"gate":{"accepted":true,"reason":"","proposals":2,"batch_before":0.5,"batch_after":1.0,"validation_before":0.25,"validation_after":0.5,"p_value":0.25}}
{"kind":"validation","epoch":1,"step":1,"score":0.5,"samples":4,"failed":1,"metrics":{},"is_best":true}
{"kind":"step","epoch":1,"step":2,"score":0.75,"samples":2,"failed":0,"metrics":{},"gate":{"accepted":false,"reason":"no better on the batch","proposals":2,"batch_before":0.75,"batch_after":0.5,"validation_before":null,"validation_after":null,"chance":0.75}}
{"kind":"step","epoch":2,"step":3,"score":0.5,"samples":2,"failed":0,"metrics":{},"search":{"step":2,"proposals":[{"aim":"shorter","samples":2,"gain":0.5},{"aim":"rule","samples":2,"gain":-0.5,"reason":"worse on the samples it was made from"}],"race":{"accepted":true,"steps":2,"samples":30,"wins":9,"losses":1,"incumbent":0.4,"head":0.7,"evidence":24.5}}}
{"kind":"search","epoch":2,"step":4,"search":{"step":0,"proposals":[],"confirmation":{"confirmed":true,"kept":true,"samples":20,"first":0.25,"last":0.75,"p_value":0.002}}}
)";
  files["versions.jsonl"] =
      R"({"kind":"first","step":0,"parameters":{"prompt":{"role":"instructions","value":"Sort the mail."}}}
{"kind":"step","epoch":1,"step":1,"seconds":1.25,"parameters":{"prompt":{"outcome":"updated","value":"Sort the mail: yes or no.","requests":1,"edit_distance":4,"feedback":["Say which answers there are.","Be brief."]}},"batch":{"rows":[1,4],"predictions":["yes","perhaps"],"scores":[1,0],"replies":{"4":"I think: perhaps"},"explanations":{"4":"\"perhaps\" is none of the labels"}}}
{"kind":"step","epoch":1,"step":2,"seconds":1.5,"parameters":{"prompt":{"outcome":"rejected","value":"Sort it.","requests":2,"edit_distance":3,"reason":"no better on the batch","problems":[{"problem":"cut_off","reason":"the reply was cut off"}],"feedback":["Be brief."]}}}
{"kind":"step","epoch":2,"step":3,"seconds":2,"parameters":{"prompt":{"outcome":"kept","requests":3,"reason":"no usable reply","problems":[{"problem":"empty_value"},{"problem":"echo","reason":"it repeats the request"}]}}}
)";
  files["samples.jsonl"] =
      R"({"kind":"part","part":"validation","rows":[3,7,9,12],"file":"mails.csv","lines":[5,9,11,15],"targets":["yes","no","yes","no"],"inputs":["Fire!","All is well.","Help!","Thanks."]}
{"kind":"scores","part":"validation","step":0,"predictions":["no","yes","no","no"],"scores":[0,0,0,1]}
{"kind":"scores","part":"validation","step":1,"predictions":["yes","no",null,"maybe"],"scores":[1,1,0,0],"replies":{"12":"Hm, let me think.\nmaybe"},"explanations":{"12":"expected no"},"problems":{"9":{"kind":"filtered","text":"a content filter withheld the reply"}}}
)";
  files["calls.jsonl"] =
      R"({"timestamp":"2026-11-21T19:56:48.500Z","gen_ai.request.model":"small","gen_ai.usage.input_tokens":100,"gen_ai.usage.output_tokens":10,"tgd.purpose":"forward","tgd.attempts":1,"tgd.latency_s":0.5,"tgd.cost_usd":0.002,"tgd.outcome":"ok","tgd.cached":false}
{"timestamp":"2026-11-21T19:56:47.000Z","gen_ai.request.model":"small","gen_ai.usage.input_tokens":120,"gen_ai.usage.output_tokens":5,"tgd.purpose":"forward","tgd.attempts":1,"tgd.latency_s":2.5,"tgd.cost_usd":0.003,"tgd.outcome":"ok","tgd.cached":false}
{"timestamp":"2026-11-21T19:56:49.000Z","gen_ai.request.model":"small","error.type":"429","error.message":"too many requests","tgd.purpose":"forward","tgd.attempts":4,"tgd.latency_s":1.0,"tgd.cost_usd":0.0,"tgd.outcome":"error","tgd.cached":false}
{"timestamp":"2026-11-22T08:00:00.000Z","gen_ai.request.model":"large","tgd.purpose":"optimize","tgd.parameter":"prompt","tgd.attempts":1,"tgd.latency_s":8.0,"tgd.cost_usd":null,"tgd.outcome":"ok","tgd.cached":false}
)";
  return files;
}

inline std::filesystem::path write_run(const TemporaryFolder& folder, const std::map<std::string, std::string>& files,
                                       const std::string& name = "run") {
  for (const auto& [file, text] : files) folder.write(name + "/" + file, text);
  return folder.path() / name;
}

}  // namespace tgd::test
