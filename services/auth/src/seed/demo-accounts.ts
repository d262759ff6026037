import type { Account } from './seed-data.js'

/** Somebody of the demonstration, with the password that opens the account. */
export interface DemoAccount extends Account {
  readonly password: string
}

/**
 * People of the demonstration. Everybody can read their passwords here, and `npm start` prints them: they exist outside production alone. Two of
 * them have the same name, in two tenants.
 */
export const DEMO_ACCOUNTS: readonly DemoAccount[] = [
  {
    id: 'u-7c1f40d2',
    tenantId: 'aurora-hardware',
    name: 'ada',
    displayName: 'Ada Hartwell',
    roles: ['admin', 'clerk'],
    password: 'ada-of-aurora-demo',
    passwordHash: '$scrypt$ln=15,r=8,p=3$zoMeK9EZKdgbWOtTkY5HlA$ukjzkW31lc02hrLB70Ic6gUmQLBXGHIHTrwi+VF16BI',
  },
  {
    id: 'u-b2903e5a',
    tenantId: 'aurora-hardware',
    name: 'grace',
    displayName: 'Grace Osei',
    roles: ['approver'],
    password: 'grace-of-aurora-demo',
    passwordHash: '$scrypt$ln=15,r=8,p=3$zrwvmcipVHD/F2PrUAFTWg$p5eQxibjt1FWU/NzSxZ+RourgTUO6S2h6W7LprxptVw',
  },
  {
    id: 'u-e58a16c7',
    tenantId: 'elbe-elektronik',
    name: 'ada',
    displayName: 'Ada Lindqvist',
    roles: ['approver', 'clerk'],
    password: 'ada-of-elbe-demo',
    passwordHash: '$scrypt$ln=15,r=8,p=3$dX5ABDzC+B8gExWYHScQTA$0tSYf0um6lgnYc+Z2KgrvLuDAwJewx73YgWlgW8dpEY',
  },
  {
    id: 'u-4d9be063',
    tenantId: 'elbe-elektronik',
    name: 'bruno',
    displayName: 'Bruno Keller',
    roles: ['clerk'],
    password: 'bruno-of-elbe-demo',
    passwordHash: '$scrypt$ln=15,r=8,p=3$Lomrac8voEF9BL62t4WyQw$MH4K7Qci7G1zgNNtyHyQjAL9mN25LyWtgUtljFN7+XE',
  },
]
