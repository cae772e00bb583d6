#!/usr/bin/env bash
# eventsource-parser tells nobody of an id that comes without data, though the standard keeps it for the reconnect. Needs node and npm.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

npm install --no-audit --no-fund --silent eventsource-parser@3.0.6
cat >run.mjs <<'END'
import { createParser } from "eventsource-parser";
const heard = [];
const parser = createParser({
  onEvent: (e) => heard.push(`event ${e.id}`), onComment: (c) => heard.push(`comment ${c}`), onError: (e) => heard.push(`error ${e.message}`),
  onRetry: (ms) => heard.push(`retry ${ms}`),
});
// HTML 9.2.6: at the empty line the last event id is set, and then, without data, no event is dispatched.
parser.feed("id: 7\n\n: hb\nid: 8\ndata: x\n\nid: 9\n\n");
console.log(heard.join(", "));
END
seen=$(node run.mjs)
echo 'eventsource-parser 3.0.6'
echo "expected: a way to learn 7 and 9; seen: $seen"
[ "$seen" = 'comment hb, event 8' ]
