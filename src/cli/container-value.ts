/** A container's inspect document as the Go structs that Docker's client runs `inspect -f` on: see image-value.ts. */
import { complete, fieldOf, GoNil, structured } from './format/go-value.js'
import { omittedOfConfig, omittedOfHealthcheck } from './image-value.js'

const shape = {
  maps: ['ExposedPorts', 'Volumes', 'Labels', 'Data', 'PortBindings', 'Ports', 'Networks'],
  slices: [
    ...['Args', 'Env', 'Cmd', 'Entrypoint', 'OnBuild', 'Shell', 'Test', 'Mounts', 'ExecIDs', 'Binds', 'VolumesFrom'],
    ...['CapAdd', 'CapDrop', 'Dns', 'DnsOptions', 'DnsSearch', 'ExtraHosts', 'GroupAdd', 'Links', 'SecurityOpt'],
    ...['BlkioWeightDevice', 'BlkioDeviceReadBps', 'BlkioDeviceWriteBps', 'BlkioDeviceReadIOps'],
    ...['BlkioDeviceWriteIOps', 'Devices', 'DeviceCgroupRules', 'DeviceRequests', 'Ulimits'],
    ...['SecondaryIPAddresses', 'SecondaryIPv6Addresses'],
  ],
}

export function containerValue(document: object): unknown {
  const container = structured(document, shape)
  complete(container, { SizeRw: new GoNil('pointer'), SizeRootFs: new GoNil('pointer'), ID: fieldOf(container, 'Id') })
  complete(fieldOf(container, 'State'), { Health: new GoNil('pointer') })
  const config = fieldOf(container, 'Config')
  complete(config, omittedOfConfig)
  complete(fieldOf(config, 'Healthcheck'), omittedOfHealthcheck)
  return container
}
