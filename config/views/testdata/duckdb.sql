-- accounts_current: What lives of accounts.
CREATE OR REPLACE VIEW "main"."accounts_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."name" AS "name",
  t."description" AS "description",
  t."nominal_code" AS "nominal_code",
  t."current_balance" AS "current_balance",
  t."status" AS "status",
  t."category" AS "category",
  t."sub_category" AS "sub_category",
  t."currency_id" AS "currency_id",
  t."parent_account_id" AS "parent_account_id",
  t."updated_at" AS "updated_at",
  t."currency_code" AS "currency_code"
FROM "main"."accounts" AS t
WHERE t."_deleted_at" IS NULL;

-- bills_current: What lives of bills.
CREATE OR REPLACE VIEW "main"."bills_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."document_number" AS "document_number",
  t."status" AS "status",
  t."posted_date" AS "posted_date",
  t."due_date" AS "due_date",
  t."contact_id" AS "contact_id",
  t."currency_id" AS "currency_id",
  t."currency_rate" AS "currency_rate",
  t."sub_total" AS "sub_total",
  t."tax_amount" AS "tax_amount",
  t."total_discount" AS "total_discount",
  t."total_amount" AS "total_amount",
  t."amount_due" AS "amount_due",
  t."memo" AS "memo",
  t."updated_at" AS "updated_at",
  t."contact_name" AS "contact_name",
  t."currency_code" AS "currency_code"
FROM "main"."bills" AS t
WHERE t."_deleted_at" IS NULL;

-- bill_lines_current: What lives of bill_lines.
CREATE OR REPLACE VIEW "main"."bill_lines_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."_item" AS "_item",
  t."line_id" AS "line_id",
  t."item_id" AS "item_id",
  t."account_id" AS "account_id",
  t."tax_id" AS "tax_id",
  t."project_id" AS "project_id",
  t."description" AS "description",
  t."quantity" AS "quantity",
  t."unit_amount" AS "unit_amount",
  t."sub_total" AS "sub_total",
  t."tax_amount" AS "tax_amount",
  t."total_discount" AS "total_discount",
  t."total_amount" AS "total_amount",
  t."position" AS "position"
FROM "main"."bill_lines" AS t
WHERE t."_deleted_at" IS NULL;

-- bill_payments_current: What lives of bill_payments.
CREATE OR REPLACE VIEW "main"."bill_payments_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."payment_id" AS "payment_id",
  t."bill_id" AS "bill_id",
  t."account_id" AS "account_id",
  t."credit_note_id" AS "credit_note_id",
  t."contact_id" AS "contact_id",
  t."document_number" AS "document_number",
  t."amount" AS "amount",
  t."payment_mode" AS "payment_mode",
  t."payment_date" AS "payment_date",
  t."currency_id" AS "currency_id",
  t."currency_rate" AS "currency_rate",
  t."memo" AS "memo",
  t."updated_at" AS "updated_at",
  t."currency_code" AS "currency_code"
FROM "main"."bill_payments" AS t
WHERE t."_deleted_at" IS NULL;

-- contacts_current: What lives of contacts.
CREATE OR REPLACE VIEW "main"."contacts_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."name" AS "name",
  t."contact_name" AS "contact_name",
  t."contact_type" AS "contact_type",
  t."currency_id" AS "currency_id",
  t."tax_number" AS "tax_number",
  t."registration_number" AS "registration_number",
  t."status" AS "status",
  t."updated_at" AS "updated_at",
  t."city" AS "city",
  t."country" AS "country",
  t."phone" AS "phone",
  t."postcode" AS "postcode",
  t."state" AS "state",
  t."street" AS "street"
FROM "main"."contacts" AS t
WHERE t."_deleted_at" IS NULL;

-- currencies_current: What lives of currencies.
CREATE OR REPLACE VIEW "main"."currencies_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."name" AS "name",
  t."code" AS "code",
  t."symbol" AS "symbol",
  t."is_base_currency" AS "is_base_currency",
  t."exchange_rate" AS "exchange_rate",
  t."updated_at" AS "updated_at"
FROM "main"."currencies" AS t
WHERE t."_deleted_at" IS NULL;

-- expenses_current: What lives of expenses.
CREATE OR REPLACE VIEW "main"."expenses_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."document_number" AS "document_number",
  t."posted_date" AS "posted_date",
  t."payment_mode" AS "payment_mode",
  t."contact_id" AS "contact_id",
  t."account_id" AS "account_id",
  t."currency_id" AS "currency_id",
  t."currency_rate" AS "currency_rate",
  t."sub_total" AS "sub_total",
  t."tax_amount" AS "tax_amount",
  t."total_discount" AS "total_discount",
  t."total_amount" AS "total_amount",
  t."memo" AS "memo",
  t."updated_at" AS "updated_at",
  t."currency_code" AS "currency_code"
FROM "main"."expenses" AS t
WHERE t."_deleted_at" IS NULL;

-- expense_lines_current: What lives of expense_lines.
CREATE OR REPLACE VIEW "main"."expense_lines_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."_item" AS "_item",
  t."line_id" AS "line_id",
  t."item_id" AS "item_id",
  t."account_id" AS "account_id",
  t."tax_id" AS "tax_id",
  t."project_id" AS "project_id",
  t."description" AS "description",
  t."quantity" AS "quantity",
  t."unit_amount" AS "unit_amount",
  t."sub_total" AS "sub_total",
  t."tax_amount" AS "tax_amount",
  t."total_discount" AS "total_discount",
  t."total_amount" AS "total_amount",
  t."position" AS "position"
FROM "main"."expense_lines" AS t
WHERE t."_deleted_at" IS NULL;

-- invoices_current: What lives of invoices.
CREATE OR REPLACE VIEW "main"."invoices_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."document_number" AS "document_number",
  t."status" AS "status",
  t."posted_date" AS "posted_date",
  t."due_date" AS "due_date",
  t."contact_id" AS "contact_id",
  t."currency_id" AS "currency_id",
  t."currency_rate" AS "currency_rate",
  t."sub_total" AS "sub_total",
  t."tax_amount" AS "tax_amount",
  t."total_discount" AS "total_discount",
  t."total_amount" AS "total_amount",
  t."amount_due" AS "amount_due",
  t."memo" AS "memo",
  t."updated_at" AS "updated_at",
  t."contact_name" AS "contact_name",
  t."currency_code" AS "currency_code"
FROM "main"."invoices" AS t
WHERE t."_deleted_at" IS NULL;

-- invoice_lines_current: What lives of invoice_lines.
CREATE OR REPLACE VIEW "main"."invoice_lines_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."_item" AS "_item",
  t."line_id" AS "line_id",
  t."item_id" AS "item_id",
  t."account_id" AS "account_id",
  t."tax_id" AS "tax_id",
  t."project_id" AS "project_id",
  t."description" AS "description",
  t."quantity" AS "quantity",
  t."unit_amount" AS "unit_amount",
  t."sub_total" AS "sub_total",
  t."tax_amount" AS "tax_amount",
  t."total_discount" AS "total_discount",
  t."total_amount" AS "total_amount",
  t."position" AS "position"
FROM "main"."invoice_lines" AS t
WHERE t."_deleted_at" IS NULL;

-- invoice_payments_current: What lives of invoice_payments.
CREATE OR REPLACE VIEW "main"."invoice_payments_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."payment_id" AS "payment_id",
  t."invoice_id" AS "invoice_id",
  t."account_id" AS "account_id",
  t."credit_note_id" AS "credit_note_id",
  t."contact_id" AS "contact_id",
  t."document_number" AS "document_number",
  t."amount" AS "amount",
  t."payment_mode" AS "payment_mode",
  t."payment_date" AS "payment_date",
  t."currency_id" AS "currency_id",
  t."currency_rate" AS "currency_rate",
  t."memo" AS "memo",
  t."updated_at" AS "updated_at",
  t."currency_code" AS "currency_code"
FROM "main"."invoice_payments" AS t
WHERE t."_deleted_at" IS NULL;

-- items_current: What lives of items.
CREATE OR REPLACE VIEW "main"."items_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."name" AS "name",
  t."description" AS "description",
  t."status" AS "status",
  t."type" AS "type",
  t."code" AS "code",
  t."quantity_on_hand" AS "quantity_on_hand",
  t."is_bill_item" AS "is_bill_item",
  t."is_invoice_item" AS "is_invoice_item",
  t."updated_at" AS "updated_at"
FROM "main"."items" AS t
WHERE t."_deleted_at" IS NULL;

-- journal_entries_current: What lives of journal_entries.
CREATE OR REPLACE VIEW "main"."journal_entries_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."account_id" AS "account_id",
  t."amount" AS "amount",
  t."currency_id" AS "currency_id",
  t."currency_rate" AS "currency_rate",
  t."journal_entry_type" AS "journal_entry_type",
  t."description" AS "description",
  t."posted_date" AS "posted_date",
  t."document_number" AS "document_number",
  t."updated_at" AS "updated_at",
  t."currency_code" AS "currency_code"
FROM "main"."journal_entries" AS t
WHERE t."_deleted_at" IS NULL;

-- journal_lines_current: What lives of journal_lines.
CREATE OR REPLACE VIEW "main"."journal_lines_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."journal_entry_id" AS "journal_entry_id",
  t."account_id" AS "account_id",
  t."contact_id" AS "contact_id",
  t."tax_id" AS "tax_id",
  t."type" AS "type",
  t."description" AS "description",
  t."net_amount" AS "net_amount",
  t."tax_amount" AS "tax_amount",
  t."updated_at" AS "updated_at"
FROM "main"."journal_lines" AS t
WHERE t."_deleted_at" IS NULL;

-- tax_rates_current: What lives of tax_rates.
CREATE OR REPLACE VIEW "main"."tax_rates_current" AS
SELECT
  t."_company_id" AS "_company_id",
  t."_integration_type" AS "_integration_type",
  t."_platform_id" AS "_platform_id",
  t."name" AS "name",
  t."code" AS "code",
  t."tax_type" AS "tax_type",
  t."effective_tax_rate" AS "effective_tax_rate",
  t."total_tax_rate" AS "total_tax_rate",
  t."updated_at" AS "updated_at"
FROM "main"."tax_rates" AS t
WHERE t."_deleted_at" IS NULL;

-- open_invoices: Invoices of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
CREATE OR REPLACE VIEW "main"."open_invoices" AS
SELECT
  i."_company_id" AS "_company_id", i."_integration_type" AS "_integration_type",
  i."_platform_id" AS "_platform_id", i."document_number" AS "document_number", i."status" AS "status",
  i."posted_date" AS "posted_date", i."due_date" AS "due_date", i."contact_id" AS "contact_id",
  COALESCE(c."name", i."contact_name") AS "contact_name", i."currency_id" AS "currency_id",
  i."currency_code" AS "currency_code", i."currency_rate" AS "currency_rate",
  i."total_amount" AS "total_amount", i."amount_due" AS "amount_due", i."memo" AS "memo"
FROM "main"."invoices_current" AS i
LEFT JOIN "main"."contacts_current" AS c
  ON c."_company_id" = i."_company_id" AND c."_integration_type" = i."_integration_type" AND c."_platform_id" = i."contact_id"
WHERE i."amount_due" + 0 <> 0 AND COALESCE(i."status", '') NOT IN ('DRAFT', 'VOID');

-- open_bills: Bills of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
CREATE OR REPLACE VIEW "main"."open_bills" AS
SELECT
  b."_company_id" AS "_company_id", b."_integration_type" AS "_integration_type",
  b."_platform_id" AS "_platform_id", b."document_number" AS "document_number", b."status" AS "status",
  b."posted_date" AS "posted_date", b."due_date" AS "due_date", b."contact_id" AS "contact_id",
  COALESCE(c."name", b."contact_name") AS "contact_name", b."currency_id" AS "currency_id",
  b."currency_code" AS "currency_code", b."currency_rate" AS "currency_rate",
  b."total_amount" AS "total_amount", b."amount_due" AS "amount_due", b."memo" AS "memo"
FROM "main"."bills_current" AS b
LEFT JOIN "main"."contacts_current" AS c
  ON c."_company_id" = b."_company_id" AND c."_integration_type" = b."_integration_type" AND c."_platform_id" = b."contact_id"
WHERE b."amount_due" + 0 <> 0 AND COALESCE(b."status", '') NOT IN ('DRAFT', 'VOID');

-- receivables: What contacts owe: for each company, contact and currency the number of open invoices, the sum that is due, and the first date on which a part of it is.
CREATE OR REPLACE VIEW "main"."receivables" AS
SELECT
  o."_company_id" AS "_company_id", o."_integration_type" AS "_integration_type",
  o."contact_id" AS "contact_id", o."currency_id" AS "currency_id", MAX(o."contact_name") AS "contact_name",
  MAX(o."currency_code") AS "currency_code", COUNT(*) AS "documents", SUM(o."amount_due") AS "amount_due",
  MIN(o."due_date") AS "first_due_date"
FROM "main"."open_invoices" AS o
GROUP BY o."_company_id", o."_integration_type", o."contact_id", o."currency_id";

-- payables: What is owed to contacts: for each company, contact and currency the number of open bills, the sum that is due, and the first date on which a part of it is.
CREATE OR REPLACE VIEW "main"."payables" AS
SELECT
  o."_company_id" AS "_company_id", o."_integration_type" AS "_integration_type",
  o."contact_id" AS "contact_id", o."currency_id" AS "currency_id", MAX(o."contact_name") AS "contact_name",
  MAX(o."currency_code") AS "currency_code", COUNT(*) AS "documents", SUM(o."amount_due") AS "amount_due",
  MIN(o."due_date") AS "first_due_date"
FROM "main"."open_bills" AS o
GROUP BY o."_company_id", o."_integration_type", o."contact_id", o."currency_id";

-- invoice_payments_detailed: Payments of invoices with the number, date and amount of the invoice, and the contact's name.
CREATE OR REPLACE VIEW "main"."invoice_payments_detailed" AS
SELECT
  s."_company_id" AS "_company_id", s."_integration_type" AS "_integration_type",
  s."_platform_id" AS "_platform_id", s."payment_id" AS "payment_id",
  s."document_number" AS "document_number", s."payment_date" AS "payment_date", s."amount" AS "amount",
  s."payment_mode" AS "payment_mode", s."currency_id" AS "currency_id", s."currency_code" AS "currency_code",
  s."currency_rate" AS "currency_rate", s."memo" AS "memo", s."invoice_id" AS "invoice_id",
  s."invoice_number" AS "invoice_number", s."invoice_date" AS "invoice_date",
  s."invoice_amount" AS "invoice_amount", s."contact_id" AS "contact_id",
  COALESCE(c."name", s."invoice_contact") AS "contact_name"
FROM (
  SELECT
    p."_company_id" AS "_company_id", p."_integration_type" AS "_integration_type",
    p."_platform_id" AS "_platform_id", p."payment_id" AS "payment_id",
    p."document_number" AS "document_number", p."payment_date" AS "payment_date", p."amount" AS "amount",
    p."payment_mode" AS "payment_mode", p."currency_id" AS "currency_id",
    p."currency_code" AS "currency_code", p."currency_rate" AS "currency_rate", p."memo" AS "memo",
    p."invoice_id" AS "invoice_id", d."document_number" AS "invoice_number",
    d."posted_date" AS "invoice_date", d."total_amount" AS "invoice_amount",
    COALESCE(p."contact_id", d."contact_id") AS "contact_id", d."contact_name" AS "invoice_contact"
  FROM "main"."invoice_payments_current" AS p
  LEFT JOIN "main"."invoices_current" AS d
    ON d."_company_id" = p."_company_id" AND d."_integration_type" = p."_integration_type" AND d."_platform_id" = p."invoice_id"
) AS s
LEFT JOIN "main"."contacts_current" AS c
  ON c."_company_id" = s."_company_id" AND c."_integration_type" = s."_integration_type" AND c."_platform_id" = s."contact_id";

-- bill_payments_detailed: Payments of bills with the number, date and amount of the bill, and the contact's name.
CREATE OR REPLACE VIEW "main"."bill_payments_detailed" AS
SELECT
  s."_company_id" AS "_company_id", s."_integration_type" AS "_integration_type",
  s."_platform_id" AS "_platform_id", s."payment_id" AS "payment_id",
  s."document_number" AS "document_number", s."payment_date" AS "payment_date", s."amount" AS "amount",
  s."payment_mode" AS "payment_mode", s."currency_id" AS "currency_id", s."currency_code" AS "currency_code",
  s."currency_rate" AS "currency_rate", s."memo" AS "memo", s."bill_id" AS "bill_id",
  s."bill_number" AS "bill_number", s."bill_date" AS "bill_date", s."bill_amount" AS "bill_amount",
  s."contact_id" AS "contact_id", COALESCE(c."name", s."bill_contact") AS "contact_name"
FROM (
  SELECT
    p."_company_id" AS "_company_id", p."_integration_type" AS "_integration_type",
    p."_platform_id" AS "_platform_id", p."payment_id" AS "payment_id",
    p."document_number" AS "document_number", p."payment_date" AS "payment_date", p."amount" AS "amount",
    p."payment_mode" AS "payment_mode", p."currency_id" AS "currency_id",
    p."currency_code" AS "currency_code", p."currency_rate" AS "currency_rate", p."memo" AS "memo",
    p."bill_id" AS "bill_id", d."document_number" AS "bill_number", d."posted_date" AS "bill_date",
    d."total_amount" AS "bill_amount", COALESCE(p."contact_id", d."contact_id") AS "contact_id",
    d."contact_name" AS "bill_contact"
  FROM "main"."bill_payments_current" AS p
  LEFT JOIN "main"."bills_current" AS d
    ON d."_company_id" = p."_company_id" AND d."_integration_type" = p."_integration_type" AND d."_platform_id" = p."bill_id"
) AS s
LEFT JOIN "main"."contacts_current" AS c
  ON c."_company_id" = s."_company_id" AND c."_integration_type" = s."_integration_type" AND c."_platform_id" = s."contact_id";

-- general_ledger: The lines of journal entries with the entry's date, number and currency, and the account's code, name and category. A line without its entry or account stays, with nulls. Whether net_amount is to the debit or to the credit is in type.
CREATE OR REPLACE VIEW "main"."general_ledger" AS
SELECT
  s."_company_id" AS "_company_id", s."_integration_type" AS "_integration_type",
  s."_platform_id" AS "_platform_id", s."journal_entry_id" AS "journal_entry_id",
  s."entry_number" AS "entry_number", s."posted_date" AS "posted_date",
  s."journal_entry_type" AS "journal_entry_type", s."entry_description" AS "entry_description",
  s."currency_id" AS "currency_id", s."currency_code" AS "currency_code",
  s."currency_rate" AS "currency_rate", s."account_id" AS "account_id", s."contact_id" AS "contact_id",
  s."type" AS "type", s."net_amount" AS "net_amount", s."tax_amount" AS "tax_amount",
  s."description" AS "description", a."nominal_code" AS "account_code", a."name" AS "account_name",
  a."category" AS "account_category"
FROM (
  SELECT
    l."_company_id" AS "_company_id", l."_integration_type" AS "_integration_type",
    l."_platform_id" AS "_platform_id", l."journal_entry_id" AS "journal_entry_id",
    e."document_number" AS "entry_number", e."posted_date" AS "posted_date",
    e."journal_entry_type" AS "journal_entry_type", e."description" AS "entry_description",
    e."currency_id" AS "currency_id", e."currency_code" AS "currency_code",
    e."currency_rate" AS "currency_rate", l."account_id" AS "account_id", l."contact_id" AS "contact_id",
    l."type" AS "type", l."net_amount" AS "net_amount", l."tax_amount" AS "tax_amount",
    l."description" AS "description"
  FROM "main"."journal_lines_current" AS l
  LEFT JOIN "main"."journal_entries_current" AS e
    ON e."_company_id" = l."_company_id" AND e."_integration_type" = l."_integration_type" AND e."_platform_id" = l."journal_entry_id"
) AS s
LEFT JOIN "main"."accounts_current" AS a
  ON a."_company_id" = s."_company_id" AND a."_integration_type" = s."_integration_type" AND a."_platform_id" = s."account_id";

-- general_ledger: The lines of journal entries with the entry's date, number and currency, and the account's code, name and category. A line without its entry or account stays, with nulls. Whether net_amount is to the debit or to the credit is in type.
DROP VIEW IF EXISTS "main"."general_ledger";

-- bill_payments_detailed: Payments of bills with the number, date and amount of the bill, and the contact's name.
DROP VIEW IF EXISTS "main"."bill_payments_detailed";

-- invoice_payments_detailed: Payments of invoices with the number, date and amount of the invoice, and the contact's name.
DROP VIEW IF EXISTS "main"."invoice_payments_detailed";

-- payables: What is owed to contacts: for each company, contact and currency the number of open bills, the sum that is due, and the first date on which a part of it is.
DROP VIEW IF EXISTS "main"."payables";

-- receivables: What contacts owe: for each company, contact and currency the number of open invoices, the sum that is due, and the first date on which a part of it is.
DROP VIEW IF EXISTS "main"."receivables";

-- open_bills: Bills of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP VIEW IF EXISTS "main"."open_bills";

-- open_invoices: Invoices of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP VIEW IF EXISTS "main"."open_invoices";

-- tax_rates_current: What lives of tax_rates.
DROP VIEW IF EXISTS "main"."tax_rates_current";

-- journal_lines_current: What lives of journal_lines.
DROP VIEW IF EXISTS "main"."journal_lines_current";

-- journal_entries_current: What lives of journal_entries.
DROP VIEW IF EXISTS "main"."journal_entries_current";

-- items_current: What lives of items.
DROP VIEW IF EXISTS "main"."items_current";

-- invoice_payments_current: What lives of invoice_payments.
DROP VIEW IF EXISTS "main"."invoice_payments_current";

-- invoice_lines_current: What lives of invoice_lines.
DROP VIEW IF EXISTS "main"."invoice_lines_current";

-- invoices_current: What lives of invoices.
DROP VIEW IF EXISTS "main"."invoices_current";

-- expense_lines_current: What lives of expense_lines.
DROP VIEW IF EXISTS "main"."expense_lines_current";

-- expenses_current: What lives of expenses.
DROP VIEW IF EXISTS "main"."expenses_current";

-- currencies_current: What lives of currencies.
DROP VIEW IF EXISTS "main"."currencies_current";

-- contacts_current: What lives of contacts.
DROP VIEW IF EXISTS "main"."contacts_current";

-- bill_payments_current: What lives of bill_payments.
DROP VIEW IF EXISTS "main"."bill_payments_current";

-- bill_lines_current: What lives of bill_lines.
DROP VIEW IF EXISTS "main"."bill_lines_current";

-- bills_current: What lives of bills.
DROP VIEW IF EXISTS "main"."bills_current";

-- accounts_current: What lives of accounts.
DROP VIEW IF EXISTS "main"."accounts_current";

