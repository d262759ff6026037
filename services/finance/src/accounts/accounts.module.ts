import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { Account, Posting } from './account.entities.js'
import { AccountLedger } from './account-ledger.js'
import { AccountsController, TransfersController } from './accounts.controllers.js'
import { Accounts } from './accounts.js'

@Module({
  imports: [TypeOrmModule.forFeature([Account, Posting])],
  controllers: [AccountsController, TransfersController],
  providers: [Accounts, AccountLedger],
})
export class AccountsModule {}
