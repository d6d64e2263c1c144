/** Names for containers that were given none, in Docker's style: an adjective and somebody who knew about plants. */

const adjectives =
  'alert amber ample awake bold brisk calm candid clever cosy crisp curious deft eager early fair fern fine fresh gentle ' +
  'glad golden green hardy honest humble keen kind leafy light lively lucid mellow merry mild mossy neat nimble noble open ' +
  'patient placid plain proud quick quiet rapid ready ripe robust rosy serene sharp silent sleek smooth snug sober solid ' +
  'spry steady still sunny supple swift tender tidy tranquil upright verdant vivid warm wild willing wise witty young zesty'

const botanists =
  'adanson agardh alpini anning arber banks baret bartram bentham blackburne bonpland brown burbank candolle carver cesalpino ' +
  'clusius colden cook dioscorides eastwood esau fries fuchs gesner goethe gray grew grisebach haller hooker humboldt ' +
  'ibn_al_baitar jussieu kaempfer lamarck lindley linnaeus lobel magnol makino malpighi mcclintock mendel merian mexia mueller ' +
  'nightingale north parks pringle ray rafinesque sessions shizhen sprengel steller strasburger theophrastus thunberg ' +
  'tournefort tradescant vavilov vries wallace ynes'

const [first, last] = [adjectives, botanists].map(words => words.split(' ')) as [string[], string[]]

/** `mossy_linnaeus`. `random` gives numbers from 0 up to, and without, 1. */
export function randomName(random: () => number): string {
  const one = (words: readonly string[]) => words[Math.floor(random() * words.length)]!
  return `${one(first)}_${one(last)}`
}
