/** A peer connection, and what goes with it. */
export interface Connection {
  pc: RTCPeerConnection
  close(): void
}

/**
 * Makes a connection that knows today's networks. A frame of a page is told by Chromium of a change of network 1 to 3 s after it, and
 * the connections that it makes until then only know the old one; a new frame looks for itself. So each has a frame of its own. It
 * hangs at the root, where apps put nothing anew; where it is taken away all the same, the connection is closed.
 */
export function openConnection(configuration: RTCConfiguration): Connection {
  const frame = document.createElement('iframe')
  // More than `hidden`, which a page's styles may overrule.
  frame.style.setProperty('display', 'none', 'important')
  frame.title = 'JMRTC'
  document.documentElement.append(frame)
  try {
    const { RTCPeerConnection } = (frame.contentWindow ?? globalThis) as typeof globalThis
    const pc = new RTCPeerConnection(configuration)
    const close = () => {
      pc.close()
      frame.remove()
    }
    return { pc, close }
  } catch (error) {
    frame.remove()
    throw error
  }
}
