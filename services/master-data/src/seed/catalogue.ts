import { type TenantRow, tenantSeed } from '@vextrus/service-kit'

/** What the tenants of the seed are, and the words that their products, suppliers and customers are made of. */

export interface TenantSeed extends TenantRow {
  /** Decimals of the currency, and roughly what one US dollar is in it: it makes prices look right. */
  readonly decimals: number
  readonly perDollar: number
  readonly products: number
  readonly customers: number
  readonly suppliers: number
  readonly categories: readonly string[]
}

/** Eight tenants of very different size: 10,000 products, 2,000 customers and 200 suppliers together. */
export const tenants: readonly TenantSeed[] = [
  tenant('aurora-hardware', 2, 1, 2_400, 480, 40, ['TOOL', 'FAST', 'ELEC', 'PAINT', 'SAFE', 'PLUM']),
  tenant('brightwell-foods', 2, 0.8, 1_900, 380, 35, ['GROC', 'DRINK', 'CLEAN', 'PACK']),
  tenant('dhaka-builders', 2, 120, 1_500, 300, 30, ['STEEL', 'CEMENT', 'TOOL', 'ELEC', 'PLUM']),
  tenant('elbe-elektronik', 2, 0.9, 1_200, 240, 25, ['CHIP', 'CABLE', 'ELEC', 'TOOL']),
  tenant('ganges-textiles', 2, 85, 1_000, 200, 22, ['CLOTH', 'YARN', 'PACK']),
  tenant('lumiere-bureau', 2, 0.9, 800, 160, 18, ['OFFICE', 'PAPER', 'CLEAN']),
  tenant('merlion-medical', 2, 1.35, 700, 140, 16, ['MED', 'SAFE', 'CLEAN']),
  tenant('sakura-keisoku', 0, 150, 500, 100, 14, ['METER', 'CABLE', 'CHIP']),
]

function tenant(
  id: string,
  decimals: number,
  perDollar: number,
  products: number,
  customers: number,
  suppliers: number,
  categories: string[],
): TenantSeed {
  const row = tenantSeed.find((each) => each.id === id)
  if (row === undefined) throw new RangeError(`No tenant ${id} in the seed of all services`)
  return { ...row, decimals, perDollar, products, customers, suppliers, categories }
}

export interface CategorySeed {
  readonly name: string
  readonly unit: string
  /** US dollars. */
  readonly price: readonly [from: number, to: number]
  readonly things: readonly string[]
  readonly sizes: readonly string[]
}

export const categories: Readonly<Record<string, CategorySeed>> = {
  CABLE: category(
    'Cables and connectors',
    'm',
    [0.4, 25],
    'Coaxial cable|Patch cable|Ribbon cable|Power cord|Fibre pigtail|Speaker cable|Ethernet cable',
    '1 m|2 m|5 m|10 m|25 m|100 m',
  ),
  CEMENT: category(
    'Cement and aggregates',
    'bag',
    [3, 30],
    'Portland cement|Blended cement|Tile adhesive|Grout|Plaster mix|Washed sand|Stone chips',
    '5 kg|20 kg|25 kg|50 kg',
  ),
  CHIP: category(
    'Electronic components',
    'pcs',
    [0.02, 40],
    'Film resistor|Ceramic capacitor|MOSFET|Voltage regulator|Op-amp|Microcontroller|Crystal|Schottky diode',
    'reel of 100|reel of 500|reel of 1,000|reel of 4,000|tray of 50',
  ),
  CLEAN: category(
    'Cleaning supplies',
    'pcs',
    [1, 60],
    'Floor cleaner|Glass cleaner|Hand soap|Disinfectant|Microfibre cloth|Bin liner|Degreaser',
    '250 ml|500 ml|1 l|5 l|20 l|box of 50',
  ),
  CLOTH: category(
    'Woven fabric',
    'm',
    [1.5, 40],
    'Cotton poplin|Linen canvas|Silk twill|Denim|Viscose satin|Wool flannel|Muslin',
    '110 cm|140 cm|150 cm|280 cm',
  ),
  DRINK: category(
    'Beverages',
    'case',
    [4, 70],
    'Sparkling water|Apple juice|Ginger beer|Cold brew|Black tea|Oat drink|Elderflower cordial',
    '12 × 250 ml|24 × 330 ml|12 × 500 ml|6 × 1 l',
  ),
  ELEC: category(
    'Electrical installation',
    'pcs',
    [1, 180],
    'Circuit breaker|Contactor|Wall socket|Dimmer switch|Isolator|Fuse holder|Distribution board',
    '6 A|10 A|16 A|25 A|32 A|63 A',
  ),
  FAST: category(
    'Fasteners',
    'box',
    [2, 45],
    'Hex bolt|Wood screw|Machine screw|Lock nut|Flat washer|Anchor bolt|Rivet',
    'M4 × 20|M5 × 30|M6 × 40|M8 × 60|M10 × 80|M12 × 100',
  ),
  GROC: category(
    'Dry groceries',
    'case',
    [3, 90],
    'Basmati rice|Red lentils|Rolled oats|Chickpeas|Plain flour|Cane sugar|Sea salt|Ground coffee',
    '500 g|1 kg|2.5 kg|10 kg|25 kg',
  ),
  MED: category(
    'Medical consumables',
    'box',
    [3, 220],
    'Nitrile gloves|Syringe|IV cannula|Surgical mask|Gauze swab|Suture|Blood lancet',
    'box of 10|box of 50|box of 100|box of 500|sterile',
  ),
  METER: category(
    'Measuring instruments',
    'pcs',
    [20, 2_400],
    'Digital caliper|Torque wrench|Multimeter|Thermal camera|Pressure gauge|Laser rangefinder|Micrometer',
    'class 0.5|class 1|class 2|calibrated|with case',
  ),
  OFFICE: category(
    'Office equipment',
    'pcs',
    [2, 400],
    'Desk lamp|Stapler|Swivel chair|Whiteboard|Document tray|Label printer|Paper shredder',
    'black|white|grey|oak|beech',
  ),
  PACK: category(
    'Packaging',
    'pack',
    [2, 80],
    'Corrugated box|Stretch film|Packing tape|Bubble wrap|Kraft paper|Pallet corner|Zip bag',
    '10 pcs|25 pcs|50 pcs|100 pcs',
  ),
  PAINT: category(
    'Paint and coatings',
    'can',
    [6, 140],
    'Acrylic emulsion|Wood varnish|Metal primer|Epoxy coating|Masonry paint|Spray enamel',
    '400 ml|750 ml|1 l|2.5 l|5 l|20 l',
  ),
  PAPER: category(
    'Paper and forms',
    'ream',
    [3, 90],
    'Copy paper|Envelope|Invoice form|Notebook|Sticky notes|Till roll|Card stock',
    '80 g|90 g|120 g|160 g|recycled',
  ),
  PLUM: category(
    'Plumbing',
    'pcs',
    [1, 160],
    'Copper elbow|PVC pipe|Ball valve|Compression tee|Basin mixer|Pipe clamp|Flexible hose',
    '15 mm|22 mm|28 mm|½ in|¾ in|1 in',
  ),
  SAFE: category(
    'Protective equipment',
    'pcs',
    [2, 190],
    'Safety helmet|Work gloves|Ear defenders|Safety boots|Respirator|Hi-vis vest|Face shield',
    'S|M|L|XL|XXL',
  ),
  STEEL: category(
    'Steel and rebar',
    'pcs',
    [4, 320],
    'Deformed bar|Angle section|Channel section|Flat bar|Wire mesh|Hollow section|Binding wire',
    '8 mm|10 mm|12 mm|16 mm|20 mm|25 mm',
  ),
  TOOL: category(
    'Hand and power tools',
    'pcs',
    [5, 480],
    'Claw hammer|Cordless drill|Spirit level|Pipe wrench|Angle grinder|Chisel|Tape measure|Rotary hammer',
    '150 mm|200 mm|250 mm|300 mm|450 mm|600 mm',
  ),
  YARN: category(
    'Yarn and thread',
    'cone',
    [2, 55],
    'Ring-spun yarn|Open-end yarn|Sewing thread|Merino yarn|Jute twine|Embroidery floss',
    '20s|30s|40s|60s|80s|120s',
  ),
}
// Food is taxed at a reduced rate in most places.
export const reducedCategories: ReadonlySet<string> = new Set(['GROC', 'MED'])

function category(
  name: string,
  unit: string,
  price: readonly [number, number],
  things: string,
  sizes: string,
): CategorySeed {
  return { name, unit, price, things: things.split('|'), sizes: sizes.split('|') }
}

export const qualities =
  'Basic|Classic|Compact|Eco|Heavy-duty|Industrial|Premium|Professional|Standard|Trade|Ultra'.split('|')
export const brands =
  'Alder|Borealis|Cobalt|Dunmore|Everline|Fenwick|Granite|Halden|Ironwood|Juniper|Kestrel|Larkfield|Meridian|Northway|Osprey'.split(
    '|',
  )
export const surnames =
  'Ahmed|Andersson|Bauer|Bianchi|Carvalho|Chowdhury|Costa|Dubois|Evans|Fischer|Garcia|Haddad|Hossain|Ivanova|Jansen|Khan|Kowalski|Lambert|Lim|Moreau|Mukherjee|Nakamura|Novak|Okafor|Patel|Rahman|Rossi|Sato|Schmidt|Silva|Singh|Tan|Tanaka|Walker|Yilmaz'.split(
    '|',
  )
export const trades =
  'Trading|Logistics|Industries|Construction|Interiors|Catering|Services|Engineering|Retail|Distribution|Works|Partners'.split(
    '|',
  )
