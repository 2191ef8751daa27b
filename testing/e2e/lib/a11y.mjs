// What a screen reader, a keyboard and weak eyes need, as far as a program can tell.

const NAMED = new Set(['button', 'textbox', 'link', 'meter', 'dialog', 'alertdialog', 'checkbox', 'log', 'list'])

/** What is wrong with a page as it is now; an empty list is good. */
export async function accessibilityProblems(tab) {
  const cdp = await tab.context().newCDPSession(tab)
  const { nodes } = await cdp.send('Accessibility.getFullAXTree')
  await cdp.detach()
  const problems = []
  for (const node of nodes) {
    const role = node.role?.value
    if (!node.ignored && NAMED.has(role) && role !== 'list' && !node.name?.value) problems.push(`a ${role} without a name`)
  }
  if (!nodes.some((n) => n.role?.value === 'heading' && !n.ignored)) problems.push('no heading')
  if (!nodes.some((n) => n.role?.value === 'main' && !n.ignored) && !nodes.some((n) => /dialog/.test(n.role?.value ?? ''))) problems.push('no main landmark')
  return [...problems, ...(await tab.evaluate(inPage))]
}

function inPage() {
  const problems = []
  if (!document.documentElement.lang) problems.push('no language')
  if (!document.title) problems.push('no title')
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id)
  for (const id of new Set(ids)) if (ids.filter((i) => i === id).length > 1) problems.push(`id ${id} twice`)
  if (document.documentElement.scrollWidth > innerWidth) problems.push(`scrolls sideways: ${document.documentElement.scrollWidth} > ${innerWidth}`)

  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
    return [r, g, b, a / 255]
  }
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1]
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  /** The colour behind an element; null where an image or gradient is. */
  const behind = (element) => {
    const layers = []
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e)
      if (style.backgroundImage !== 'none') return null
      const colour = rgba(style.backgroundColor)
      layers.push(colour)
      if (colour[3] === 1) break
    }
    return layers.reduceRight((under, colour) => over(colour, under), rgba('canvas'))
  }
  const open = document.querySelector('dialog[open]')
  for (const element of (open ?? document.body).querySelectorAll('*')) {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue
    const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
    if (text && !element.closest('[disabled], svg, noscript, option')) {
      const style = getComputedStyle(element)
      const back = behind(element)
      if (back) {
        const [a, b] = [light(over(rgba(style.color), back)), light(back)].sort((x, y) => y - x)
        const ratio = (a + 0.05) / (b + 0.05)
        const size = parseFloat(style.fontSize)
        const needed = size >= 24 || (size >= 18.6 && Number(style.fontWeight) >= 700) ? 3 : 4.5
        if (ratio < needed - 0.01) problems.push(`contrast ${ratio.toFixed(2)} of "${element.textContent.trim().slice(0, 30)}" (${element.className || element.tagName})`)
      }
    }
    if (element.matches('button, input, a[href], summary')) {
      const { width, height } = element.getBoundingClientRect()
      if (width < 24 || height < 24) problems.push(`${element.id || element.textContent.trim()} is ${Math.round(width)}x${Math.round(height)}: too small for a finger`)
    }
    if (element.matches('img') && !element.hasAttribute('alt')) problems.push(`an image without alt: ${element.src}`)
  }
  return problems
}
