/** A remover, and somebody who makes a container of the same image, in every order: half a minute of them, too long for every run. */
import { test } from 'node:test'
import { testEveryOrder } from '../build/removal-walk.js'

test('every order', async t => {
  await testEveryOrder(t, { grain: 'protocol', roles: ['remove by id', 'create'] }, 5000)
})
