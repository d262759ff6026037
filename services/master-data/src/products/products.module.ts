import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { InvalidateProductLists } from './product-invalidation.handlers.js'
import { ProductCommands } from './product.commands.js'
import { Category, Product, Supplier } from './product.entities.js'
import { ProductQueries } from './product.queries.js'
import { ProductsController } from './products.controller.js'

@Module({
  imports: [TypeOrmModule.forFeature([Product, Category, Supplier])],
  controllers: [ProductsController],
  providers: [ProductQueries, ProductCommands, InvalidateProductLists],
})
export class ProductsModule {}
