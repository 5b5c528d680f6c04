#!/bin/sh
# The metric of metric.py in jq, to be named in the task as "run": ["sh", "metric.sh"]: 1 within 1 % of the expected number, half of it
# within 10 %, else 0; "metrics" has how far off each answer is.
exec jq --unbuffered -c '
  (.target | tonumber) as $expected
  | ([.prediction | gsub(","; "") | match("-?[0-9]+([.][0-9]+)?"; "g").string] | last) as $last
  | if $last == null then
      {id, score: 0, feedback: "There is no number in the answer; \(.target) was expected."}
    else
      ((($last | tonumber) - $expected) | fabs / ([($expected | fabs), 1e-9] | max)) as $error
      | {id, metrics: {relative_error: $error}}
      + if $error <= 0.01 then {score: 1}
        else {score: (if $error <= 0.1 then 0.5 else 0 end), feedback: "The answer, \($last), is off; \(.target) was expected."}
        end
    end'
