// The table of `npm run bench`.

const ms = (v) => (Number.isFinite(v) ? `${v.toFixed(v < 10 ? 1 : 0)} ms` : '-')
const num = (v, digits = 1) => (Number.isFinite(v) ? v.toFixed(digits) : '-')

/** One Markdown table; targets are those of the design, "by how much" where one is missed. */
export function table({ phones, wrtcs, loop, chromium, cpu, wire, library, binding, median, quantile, calls, machine, profile, rtt }) {
  /** Whether `value` is at most `target`, in words. */
  const upTo = (value, target, unit) => `<= ${num(target)} ${unit}: ${value <= target ? 'met' : `missed by ${num(value - target)} ${unit}`}`
  const both = (f) => [f(phones), f(wrtcs)]
  const first = 60 + rtt
  const rows = [
    ['round trip of the network, callee to server and caller (p50)', ms(rtt), '-', '-', ''],
    ['accept to first audio, callee hears caller (p50)', ...both((r) => ms(median(r.callee))), ms(median(chromium.callee)), upTo(median(phones.callee), first, 'ms')],
    ['accept to first audio, callee hears caller (worst)', ...both((r) => ms(Math.max(...r.callee))), ms(Math.max(...chromium.callee)), ''],
    ['accept to first audio, caller hears callee (p50)', ...both((r) => ms(median(r.caller))), '-', upTo(median(phones.caller), first, 'ms')],
    ['PCM in to PCM out, loopback (p50)', ...both((r) => ms(median(r.delay))), `${ms(median(loop.delay))} (libwebrtc to itself)`, upTo(median(phones.delay), 45, 'ms')],
    ['PCM in to PCM out, loopback (p95)', ...both((r) => ms(quantile(r.delay, 0.95))), `${ms(quantile(loop.delay, 0.95))} (libwebrtc to itself)`, ''],
    ['link set-up, answer to connected (p50)', ...both((r) => ms(median(r.link))), ms(median(chromium.link)), ''],
    ['CPU of a call that rings with its link up, per endpoint', ms(cpu.ours), ms(cpu.theirs), '-', ''],
    ['CPU of an endpoint per call-minute, speaking', ...['phone speech', 'wrtc speech', 'chromium'].map((k) => `${num(wire[k].cpu, 2)} s`), ''],
    ['CPU of the server per call-minute, one speaking', ...['phone speech', 'wrtc speech', 'chromium'].map((k) => `${num(wire[k].serverCpu, 2)} s`), ''],
    ['sent while speaking, packets per second', ...['phone speech', 'wrtc speech', 'chromium'].map((k) => num(wire[k].packets)), ''],
    ['sent while speaking, bytes per second with IP and UDP', ...['phone speech', 'wrtc speech', 'chromium'].map((k) => num(wire[k].bytes, 0)), ''],
    ['sent in silence, packets per second', num(wire['phone silence'].packets), num(wire['wrtc silence'].packets), '-', ''],
    ['sent in silence, bytes per second with IP and UDP', num(wire['phone silence'].bytes, 0), num(wire['wrtc silence'].bytes, 0), '-', ''],
    ['library, stripped (gzip)', `${num(library.raw)} MB (${num(library.packed)})`, `${num(binding.raw)} MB (${num(binding.packed)})`, '-', upTo(library.raw, 4.5, 'MB')],
  ]
  const head = ['figure', 'JMRTC phone', 'libwebrtc, our server', 'Chromium, window.JMRTC', 'target']
  const width = head.map((h, i) => Math.max(h.length, ...rows.map((r) => r[i].length)))
  const line = (cells) => `| ${cells.map((c, i) => c.padEnd(width[i])).join(' | ')} |`
  return `${[
    `${calls} calls of each kind, ${profile} build, ${machine}. libwebrtc is @roamhq/wrtc in node, which costs it some CPU for the`,
    'JavaScript that feeds it; Chromium is the whole browser, with its own filters and the tap that records it. Its fake',
    'microphone tells nobody when it says what, so its delay from PCM to PCM is not known.',
    '',
    line(head), line(width.map((w) => '-'.repeat(w))), ...rows.map(line),
  ].join('\n')}\n`
}
