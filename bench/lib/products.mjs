/** What the races read: a product of about 300 bytes with three tags. */
export const product = (i) => ({
  id: `product-${i}`,
  tenantId: `tenant-${i % 8}`,
  name: `Product number ${i}`,
  description:
    'A thing of steel and rubber that is kept in stock, bought from one supplier and sold to many customers. ',
  price: { amount: 1000 + i, currency: 'EUR' },
  categoryId: `category-${i % 40}`,
  supplierId: `supplier-${i % 100}`,
  active: true,
})
export const key = (i) => `product:tenant-${i % 8}:${i}`
export const tags = (i) => [`tenant:tenant-${i % 8}`, `category:category-${i % 40}`, `supplier:supplier-${i % 100}`]
export const TTL_S = 600
