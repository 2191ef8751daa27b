/** An element of index.html. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`index.html has no #${id}`)
  return element as E
}

/** A new element. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, className = '', ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  element.className = className
  element.append(...children)
  return element
}

/** An icon of index.html's sprite; says nothing to a screen reader. */
export function icon(name: 'phone' | 'mic' | 'mic-off' | 'check' | 'cross'): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#i-${name}`)
  svg.append(use)
  return svg
}

/** Draws someone's initials in a colour of their own. */
export function drawAvatar(element: HTMLElement, name: string): void {
  let hue = 0
  for (const char of name) hue = (hue * 31 + (char.codePointAt(0) ?? 0)) % 360
  element.style.setProperty('--hue', String(hue))
  element.setAttribute('aria-hidden', 'true')
  const words = name.split(/[\s._-]+/).filter(Boolean)
  element.textContent = [...words, ''].slice(0, 2).map((word) => [...word][0] ?? '').join('')
}

/** Sets text only where it changes: a live region says it once. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}
