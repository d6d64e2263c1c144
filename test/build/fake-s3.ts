/**
 * As much of Amazon's S3 as docker-registry asks of it (API 2006-03-01, path style), in memory. Signatures are not computed, but each
 * request has to have exactly one, in the header or in the query, as S3 wants it: credentials of somebody else's are no harm to a
 * server that does not look at them.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Ending } from './fake-registry.js'

interface Asked {
  readonly method: string
  /** Path without the bucket. */
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

interface Answer {
  readonly status: number
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

interface Upload {
  readonly key: string
  readonly parts: Map<number, Buffer>
}

/** S3 refuses parts that are smaller, but for the last one. */
const partBytesMin = 5 * 1024 * 1024

export class FakeS3 {
  readonly objects = new Map<string, Buffer>()
  /** `GET key`, of those that were let in. */
  readonly seen: { readonly line: string; readonly presigned: boolean }[] = []
  readonly #bucket: string
  readonly #uploads = new Map<string, Upload>()
  #lastUpload = 0
  host = ''

  private constructor(bucket: string) {
    this.#bucket = bucket
  }

  static async start(t: Ending, bucket: string): Promise<FakeS3> {
    const fake = new FakeS3(bucket)
    const server = createServer((request, response) => void fake.#serve(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    fake.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    t.after(() => {
      server.close()
      server.closeAllConnections()
    })
    return fake
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { method = '', headers } = request
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://s3')
    const [, bucket = '', ...names] = decodeURIComponent(pathname).split('/')
    const asked = { method, key: names.join('/'), query, headers, body: Buffer.concat(parts) }
    const { status, body = '', headers: own = {} } = this.#refusal(bucket, asked) ?? this.#answer(asked)
    const type = typeof body === 'string' ? { 'content-type': 'application/xml' } : {}
    response.writeHead(status, { ...type, 'content-length': Buffer.byteLength(body), ...own })
    response.end(method === 'HEAD' ? undefined : body)
  }

  #refusal(bucket: string, { method, key, query, headers: { authorization } }: Asked): Answer | undefined {
    const presigned = query.has('X-Amz-Signature')
    if (presigned && authorization !== undefined) return failure(400, 'InvalidArgument')
    if (!presigned && authorization?.startsWith('AWS4-HMAC-SHA256 Credential=') !== true)
      return failure(403, 'AccessDenied')
    if (bucket !== this.#bucket) return failure(404, 'NoSuchBucket')
    this.seen.push({ line: `${method} ${key}`, presigned })
    return undefined
  }

  #answer(asked: Asked): Answer {
    const { method, key, query } = asked
    if (key === '' && method === 'POST' && query.has('delete')) return this.#deleteMany(asked)
    if (key === '' && method === 'GET') return query.has('uploads') ? this.#listUploads(query) : this.#list(query)
    if (query.has('uploadId') || query.has('uploads')) return this.#multipart(asked)
    if (method === 'PUT') return this.#put(asked)
    if (method === 'DELETE') {
      this.objects.delete(key)
      return { status: 204 }
    }
    const bytes = this.objects.get(key)
    return bytes === undefined ? failure(404, 'NoSuchKey') : ranged(bytes, asked.headers.range)
  }

  #put({ key, headers, body }: Asked): Answer {
    const bytes = this.#copied(headers) ?? body
    this.objects.set(key, bytes)
    if (bytes === body) return { status: 200, headers: { etag: etagOf(bytes) } }
    return xml('CopyObjectResult', tag('ETag', etagOf(bytes)))
  }

  /** What `x-amz-copy-source` names: an object, or a range of it. */
  #copied(headers: IncomingMessage['headers']): Buffer | undefined {
    const source = headers['x-amz-copy-source']
    if (typeof source !== 'string') return undefined
    const bytes = this.objects.get(decodeURIComponent(source).replace(/^\/?[^/]*\//, '')) ?? Buffer.alloc(0)
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(String(headers['x-amz-copy-source-range'])) ?? []
    return from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1)
  }

  #multipart(asked: Asked): Answer {
    const { method, key, query, headers, body } = asked
    if (query.has('uploads')) {
      const id = `upload-${++this.#lastUpload}`
      this.#uploads.set(id, { key, parts: new Map() })
      return xml('InitiateMultipartUploadResult', tag('Bucket', this.#bucket), tag('Key', key), tag('UploadId', id))
    }
    const id = query.get('uploadId') ?? ''
    const upload = this.#uploads.get(id)
    if (upload?.key !== key) return failure(404, 'NoSuchUpload')
    if (method === 'GET') return this.#listParts(upload)
    if (method === 'POST') return this.#complete(id, upload)
    if (method === 'DELETE') return this.#uploads.delete(id) ? { status: 204 } : failure(404, 'NoSuchUpload')
    const bytes = this.#copied(headers) ?? body
    upload.parts.set(Number(query.get('partNumber')), bytes)
    if (bytes === body) return { status: 200, headers: { etag: etagOf(bytes) } }
    return xml('CopyPartResult', tag('ETag', etagOf(bytes)))
  }

  #complete(id: string, { key, parts }: Upload): Answer {
    const all = [...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
    if (all.slice(0, -1).some(({ length }) => length < partBytesMin)) return failure(400, 'EntityTooSmall')
    const bytes = Buffer.concat(all)
    this.objects.set(key, bytes)
    this.#uploads.delete(id)
    return xml('CompleteMultipartUploadResult', tag('Key', key), tag('ETag', etagOf(bytes)))
  }

  #listParts({ parts }: Upload): Answer {
    const listed = [...parts].map(([number, bytes]) =>
      tag('Part', tag('PartNumber', number), tag('ETag', etagOf(bytes)), tag('Size', bytes.length)),
    )
    return xml('ListPartsResult', tag('IsTruncated', 'false'), ...listed)
  }

  #listUploads(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? ''
    const listed = [...this.#uploads].filter(([, { key }]) => key.startsWith(prefix))
    const uploads = listed.map(([id, { key }]) => tag('Upload', tag('Key', key), tag('UploadId', id)))
    return xml('ListMultipartUploadsResult', tag('IsTruncated', 'false'), ...uploads)
  }

  #list(query: URLSearchParams): Answer {
    const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter') ?? '']
    const most = Number(query.get('max-keys') ?? 1000)
    const keys = [...this.objects.keys()].filter(key => key.startsWith(prefix)).sort()
    const end = (key: string) => (delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length))
    const contents = keys.filter(key => end(key) === -1).slice(0, most)
    const folders = new Set(keys.filter(key => end(key) !== -1).map(key => key.slice(0, end(key) + delimiter.length)))
    return xml(
      'ListBucketResult',
      tag('Prefix', prefix),
      tag('KeyCount', contents.length + folders.size),
      tag('MaxKeys', most),
      tag('IsTruncated', 'false'),
      ...contents.map(key =>
        tag(
          'Contents',
          tag('Key', key),
          tag('LastModified', '2026-01-01T00:00:00.000Z'),
          tag('ETag', etagOf(this.objects.get(key)!)),
          tag('Size', this.objects.get(key)!.length),
        ),
      ),
      ...[...folders].map(folder => tag('CommonPrefixes', tag('Prefix', folder))),
    )
  }

  #deleteMany({ body }: Asked): Answer {
    const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => key)
    for (const key of keys) this.objects.delete(key)
    return xml('DeleteResult', ...keys.map(key => tag('Deleted', tag('Key', key))))
  }
}

function ranged(bytes: Buffer, range: string | undefined): Answer {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  const headers = { etag: etagOf(bytes), 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' }
  if (from === undefined) return { status: 200, body: bytes, headers }
  if (Number(from) >= bytes.length) return failure(416, 'InvalidRange')
  const part = bytes.subarray(Number(from), to ? Number(to) + 1 : undefined)
  const last = Number(from) + part.length - 1
  return { status: 206, body: part, headers: { ...headers, 'content-range': `bytes ${from}-${last}/${bytes.length}` } }
}

const etagOf = (bytes: Buffer) => `"${createHash('md5').update(bytes).digest('hex')}"`

/** No text that it is given needs an escape, but for the quotes of an ETag, which may stand. */
const tag = (name: string, ...inside: (string | number)[]) => `<${name}>${inside.join('')}</${name}>`

const xml = (name: string, ...inside: string[]): Answer => ({
  status: 200,
  body: `<?xml version="1.0" encoding="UTF-8"?>\n${tag(name, ...inside)}`,
})

const failure = (status: number, code: string): Answer => ({ ...xml('Error', tag('Code', code)), status })
