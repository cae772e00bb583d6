// What happens, as it happens: server-sent events over fetch, since EventSource can send no token.
import { LoggedOut } from './oauth.js'
import { Problem } from './api.js'

// Reads a stream of events: blocks of "field: value" lines, ended by an empty one.
async function* parse(stream) {
  let rest = ''
  let event = {}
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
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

const pause = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
  })

// Follows the events from now on until the signal ends it. Whatever breaks the stream, it goes on where
// it was. `told` hears of each event, `state` whether it is connected.
export async function follow(api, { told, state, signal }) {
  let last // what was seen last
  for (let failures = 0; !signal.aborted; ) {
    try {
      const headers = last ? { 'Last-Event-ID': last } : {}
      const answer = await api.fetch(`events/stream${last ? '' : '?after=latest'}`, { accept: 'text/event-stream', headers, signal })
      state('live')
      failures = 0
      for await (const event of parse(answer.body)) {
        if (event.event === 'end') break // the service says why; all reasons are good for another try
        if (event.id) last = event.id
        told(JSON.parse(event.data))
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof LoggedOut) return state('ended')
      if (error instanceof Problem && error.status < 500 && error.status !== 429) {
        // It was away for so long that what it missed is not kept any more: from now on, then.
        if (last && (error.status === 410 || error.status === 400)) {
          last = undefined
          continue
        }
        return state('missing')
      }
    }
    if (signal.aborted) return
    state('waiting')
    await pause(Math.min(500 * 2 ** failures++, 30_000) * (0.75 + Math.random() / 2), signal)
  }
}
