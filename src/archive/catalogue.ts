/**
 * The members of an outer archive by name: where each stands, and where its links lead. Nothing is unpacked, so a link
 * is followed by walking names, never by asking a file system.
 *
 * Invariants:
 * - Names are normalised: no leading `/` or `./`, no empty or `.` components; a `..` that climbs out is refused.
 * - A name that is used stands in the archive once. Readers disagree on which of two counts, so two are refused; names
 *   that nobody asks for may stand there as often as they like.
 * - A walk ends: at most `symlinkHops` links are followed.
 */
import { type ByteString, fromText, printable } from '../byte-string.js'
import { PhylloError, withFacts } from '../errors.js'
import { type Limits, limitError, symlinkHops } from '../limits.js'
import type { TarEntry } from '../tar/entry.js'
import { normalizeName } from '../tar/name.js'

export interface Member {
  readonly name: ByteString
  readonly type: TarEntry['type']
  /** Of the content in the archive, in bytes from its start. */
  readonly offset: number
  readonly sizeBytes: number
  readonly linkName: ByteString
}

export class Catalogue {
  /** Of the archive, for messages. */
  readonly #archive: string
  readonly #limits: Limits
  readonly #members = new Map<ByteString, Member>()
  readonly #duplicates = new Set<ByteString>()
  #added = 0

  constructor(archive: string, limits: Limits) {
    this.#archive = archive
    this.#limits = limits
  }

  /** Takes one entry in. Throws PATH_ESCAPE for a name that climbs out, and LIMIT_EXCEEDED (archiveMembers). */
  add({ name, type, contentOffset, sizeBytes, linkName }: TarEntry): Member {
    const { archiveMembers } = this.#limits
    if (++this.#added > archiveMembers)
      throw limitError('archiveMembers', archiveMembers, this.#added, 'members of the archive')
    const member = {
      name: this.#split(name, name).join('/') as ByteString,
      type,
      offset: contentOffset,
      sizeBytes,
      linkName,
    }
    const before = this.#members.get(member.name)
    if (before !== undefined && !(before.type === 'directory' && type === 'directory'))
      this.#duplicates.add(member.name)
    this.#members.set(member.name, member)
    return member
  }

  /** The first names, in the order of the archive; for messages. */
  names(most: number): string[] {
    const names: string[] = []
    for (const name of this.#members.keys()) {
      if (names.length === most) break
      names.push(printable(name))
    }
    return names
  }

  /**
   * The file that a name leads to; undefined if there is none. Throws ARCHIVE_INVALID if the walk meets a name that is
   * there twice, leads in circles, or ends at something that has no bytes, and PATH_ESCAPE if a link climbs out.
   */
  resolve(text: string): Member | undefined {
    const name = fromText(text)
    let rest = this.#split(name, name)
    let path: ByteString[] = []
    for (let hops = 0; rest.length > 0; ) {
      const [component, ...after] = rest as [ByteString, ...ByteString[]]
      const here = [...path, component].join('/') as ByteString
      const member = this.#once(here)
      if (member === undefined || member.type === 'directory') {
        path = [...path, component]
        rest = after
        continue
      }
      if (after.length === 0 && member.type === 'file') return member
      // Unpacked, the one would be below the other or in its place, depending on who unpacks.
      if (after.length > 0 && this.#members.has([here, ...after].join('/') as ByteString))
        throw this.#invalid(name, `stands in the archive below ${printable(here)}, which is no directory`)
      if (member.type !== 'symlink' && member.type !== 'hardlink') {
        if (after.length > 0) return undefined
        throw this.#invalid(name, `is a ${member.type}, not a file`)
      }
      if (++hops > symlinkHops) throw this.#invalid(name, `leads through more than ${symlinkHops} links`)
      const absolute = member.type === 'hardlink' || member.linkName.startsWith('/')
      rest = [...this.#split(`${absolute ? '' : `${path.join('/')}/`}${member.linkName}` as ByteString, name), ...after]
      path = []
    }
    if (path.length > 0 && !this.#members.has(path.join('/') as ByteString)) return undefined
    throw this.#invalid(name, 'is a directory, not a file')
  }

  #once(name: ByteString): Member | undefined {
    if (this.#duplicates.has(name)) throw this.#invalid(name, 'stands in the archive more than once')
    return this.#members.get(name)
  }

  /** Components of a path. `shown` is what messages call it: the name that the walk began with. */
  #split(path: ByteString, shown: ByteString): ByteString[] {
    try {
      return normalizeName(path, this.#limits)
    } catch (error) {
      const member = printable(shown)
      throw withFacts(error, { member }, `${this.#archive}: ${member}`)
    }
  }

  #invalid(name: ByteString, reason: string): PhylloError {
    const member = printable(name)
    return new PhylloError('ARCHIVE_INVALID', `${this.#archive}: ${member}: ${reason}`, { member })
  }
}
