import { openConnection } from './connection.js'

/** Milliseconds for which networks are looked at. */
const LOOK_MS = 2000

/**
 * The address that a link sends from, as this device knows it; none where that is hidden (RFC 8828), or of a relay (RFC 8656), which sends
 * from elsewhere.
 */
export function addressOf({ type, address, relatedAddress }: Pick<RTCIceCandidate, 'type' | 'address' | 'relatedAddress'>): string | undefined {
  // What a NAT makes of it is the address; it is related to the device's own.
  const own = type === 'host' ? address : type === 'relay' ? null : relatedAddress
  return own && !isHidden(own) ? own : undefined
}

function isHidden(address: string): boolean {
  return address.endsWith('.local') || address === '0.0.0.0' || address === '::'
}

/** IPv6 addresses come and go with the hours; of several of one network only the best is told. The first 64 bits are the network's. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail ? tail.split(':') : []
  const zeros = tail === undefined ? 0 : 8 - groups.length - rest.length
  return [...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...rest].slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(':')
}

/** Whether this device is still in the network of `address`; true where nobody knows. */
export async function isHere(address: string): Promise<boolean> {
  const { pc, close } = openConnection({})
  let patience: ReturnType<typeof setTimeout> | undefined
  try {
    return await new Promise((resolve, reject) => {
      let elsewhere = false
      patience = setTimeout(() => resolve(true), LOOK_MS)
      pc.onicecandidate = ({ candidate }) => {
        if (!candidate?.candidate) resolve(!elsewhere)
        else if (candidate.address && !isHidden(candidate.address)) {
          if (networkOf(candidate.address) === networkOf(address)) resolve(true)
          elsewhere = true
        }
      }
      pc.createDataChannel('')
      pc.createOffer().then((offer) => pc.setLocalDescription(offer)).catch(reject)
    })
  } finally {
    clearTimeout(patience)
    close()
  }
}
