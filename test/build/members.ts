/** The members of a tar as tar-stream reads them: a second opinion on archives that we wrote. */
import { extract, type Header } from 'tar-stream'

export interface ReadMember {
  readonly header: Partial<Header>
  readonly body: Buffer
}

export async function readMembers(archive: Buffer): Promise<Map<string, ReadMember>> {
  const members = new Map<string, ReadMember>()
  const reader = extract()
  reader.end(archive)
  for await (const entry of reader) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    members.set(entry.header.name, { header: entry.header, body: Buffer.concat(chunks) })
  }
  return members
}
