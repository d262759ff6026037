import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { StockLedger } from './stock-ledger.js'
import { StockController } from './stock.controller.js'
import { StockItem } from './stock.entities.js'
import { Stock } from './stock.js'

@Module({
  imports: [TypeOrmModule.forFeature([StockItem])],
  controllers: [StockController],
  providers: [Stock, StockLedger],
})
export class StockModule {}
