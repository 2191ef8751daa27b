/** A peer connection, and what goes with it. */
export interface Connection {
  pc: RTCPeerConnection
  /** When it is closed; what was asked of `pc` and is not answered then never will be, for its frame is gone. */
  closed: Promise<void>
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
    let close = () => {}
    const closed = new Promise<void>((resolve) => {
      close = () => {
        pc.close()
        frame.remove()
        resolve()
      }
    })
    return { pc, closed, close }
  } catch (error) {
    frame.remove()
    throw error
  }
}

/** Whether one of today's networks gives this device the address. Where addresses are hidden (RFC 8828) nobody knows, and it is as if. */
export async function isHere(address: string): Promise<boolean> {
  const { pc, close } = openConnection({})
  try {
    return await new Promise((resolve, reject) => {
      let others = false
      pc.onicecandidate = ({ candidate }) => {
        if (!candidate?.candidate) resolve(!others)
        else if (candidate.address === address) resolve(true)
        else others ||= !candidate.address?.endsWith('.local')
      }
      pc.createDataChannel('')
      pc.createOffer().then((offer) => pc.setLocalDescription(offer)).catch(reject)
    })
  } finally {
    close()
  }
}
