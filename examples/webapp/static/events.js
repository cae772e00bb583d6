// What happens, as it happens: server-sent events over fetch, since EventSource can send no token.
import { LoggedOut } from './oauth.js'
import { pause, Problem } from './api.js'

// The service says something every 25 seconds, if only that it is there.
const longestSilence = 60_000
// A stream that still speaks after this long works.
const settled = 10_000

// Reads a stream of events: blocks of "field: value" lines, ended by an empty one. `heard` is called
// whenever something comes, heartbeats as well.
async function* parse(stream, heard) {
  let rest = ''
  let event = {}
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      heard()
      const lines = (rest + value).split('\n')
      rest = lines.pop()
      for (const raw of lines) {
        const line = raw.replace(/\r$/, '')
        if (line === '') {
          if (event.data !== undefined) yield event
          event = {}
          continue
        }
        if (line.startsWith(':')) continue // a heartbeat
        const [, field, text] = /^([^:]*):? ?(.*)$/.exec(line)
        if (field === 'data') event.data = event.data === undefined ? text : `${event.data}\n${text}`
        else event[field] = text
      }
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

// Follows the events from now on until the signal ends it. Whatever breaks the stream, it goes on where
// it was. `told` hears of each event, `state` whether it is connected.
export async function follow(api, { told, state, signal }) {
  let cursor // what was seen last
  let failures = 0
  while (!signal.aborted) {
    const attempt = new AbortController()
    const end = () => attempt.abort()
    signal.addEventListener('abort', end)
    // A line that is dead without a word about it is left.
    let silence
    const listen = () => { clearTimeout(silence); silence = setTimeout(end, longestSilence) }
    let asked = 0
    try {
      // The cursor comes first, so that nothing is lost should the stream break before its first event.
      cursor ??= (await api.json('events?after=latest', { signal })).next_cursor
      listen()
      const answer = await api.fetch('events/stream', {
        accept: 'text/event-stream', headers: { 'Last-Event-ID': cursor }, signal: attempt.signal,
      })
      state('live')
      const opened = Date.now()
      const heard = () => {
        listen()
        if (Date.now() - opened >= settled) failures = 0
      }
      for await (const event of parse(answer.body, heard)) {
        if (event.event === 'end') break // the service says why; all reasons are good for another try
        if (event.id) cursor = event.id
        told(JSON.parse(event.data))
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof LoggedOut) return state('ended')
      if (error instanceof Problem && error.status < 500 && error.status !== 429) {
        if (!cursor || (error.status !== 410 && error.status !== 400)) return state('missing')
        // It was away for so long that what it missed is not kept any more: from now on, then.
        cursor = undefined
      }
      asked = 1000 * (error.retryAfter ?? 0)
    } finally {
      clearTimeout(silence)
      signal.removeEventListener('abort', end)
      attempt.abort()
    }
    if (signal.aborted) return
    state('waiting')
    await pause(asked + Math.min(500 * 2 ** failures++, 30_000) * (0.75 + Math.random() / 2), signal)
  }
}
