import { expect, it } from 'vitest'
import { conditionFaults } from '../conditions/condition-faults.js'
import { flagInput } from '../flags/flag.schemas.js'
import { ruleInput } from '../rules/rule.schemas.js'
import { settingInput, settingKey } from '../configuration/setting.schemas.js'
import { flags, rules, settings } from './catalogue.js'

it('what the seed writes past the endpoints, they would have accepted', () => {
  for (const rule of rules) {
    expect(conditionFaults(rule.condition)).toEqual([])
    expect(ruleInput.parse(rule)).toMatchObject(rule)
  }
  for (const [key, value] of Object.entries(settings)) {
    expect(settingKey.parse(key)).toBe(key)
    expect(settingInput.parse({ value })).toEqual({ value })
  }
  for (const flag of flags) expect(flagInput.parse(flag)).toEqual(flag)
})
