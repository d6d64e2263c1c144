/**
 * An image's inspect document as the Go structs that Docker's client runs `inspect -f` on: what the document leaves out
 * because it is empty is still a field there, with its zero value.
 */
import { complete, fieldOf, GoNil, structured } from './format/go-value.js'

/** Of what the document's objects and nulls are in Go: everything else there is a struct or a pointer. */
const shape = {
  maps: ['ExposedPorts', 'Volumes', 'Labels', 'Data'],
  slices: ['Env', 'Cmd', 'Entrypoint', 'OnBuild', 'Shell', 'RepoTags', 'RepoDigests', 'Layers', 'Test'],
}

const omittedOfImage = { Variant: '', OsVersion: '' }
const omittedOfRootFs = { Layers: new GoNil('slice') }
/** Of the config of a container as well. */
export const omittedOfConfig = {
  ExposedPorts: new GoNil('map'),
  Healthcheck: new GoNil('pointer'),
  ArgsEscaped: false,
  NetworkDisabled: false,
  MacAddress: '',
  StopSignal: '',
  StopTimeout: new GoNil('pointer'),
  Shell: new GoNil('slice'),
}
export const omittedOfHealthcheck = { Test: new GoNil('slice'), Interval: 0, Timeout: 0, StartPeriod: 0, Retries: 0 }

export function imageValue(document: object): unknown {
  const image = structured(document, shape)
  complete(image, omittedOfImage)
  complete(fieldOf(image, 'RootFS'), omittedOfRootFs)
  for (const name of ['Config', 'ContainerConfig']) {
    const config = fieldOf(image, name)
    complete(config, omittedOfConfig)
    complete(fieldOf(config, 'Healthcheck'), omittedOfHealthcheck)
  }
  // The field has this name in Go, and `Id` in the document.
  complete(image, { ID: fieldOf(image, 'Id') })
  return image
}
