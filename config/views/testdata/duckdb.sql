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

-- receivables: What contacts owe: for each company, contact and currency the number of open invoices, the sum that is due, and the first date on which a part of it is.
CREATE OR REPLACE VIEW "main"."receivables" AS
SELECT
  o."_company_id" AS "_company_id", o."_integration_type" AS "_integration_type",
  o."contact_id" AS "contact_id", o."currency_id" AS "currency_id", MAX(o."contact_name") AS "contact_name",
  MAX(o."currency_code") AS "currency_code", COUNT(*) AS "documents", SUM(o."amount_due") AS "amount_due",
  MIN(o."due_date") AS "first_due_date"
FROM "main"."open_invoices" AS o
GROUP BY o."_company_id", o."_integration_type", o."contact_id", o."currency_id";

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

-- receivables: What contacts owe: for each company, contact and currency the number of open invoices, the sum that is due, and the first date on which a part of it is.
DROP VIEW IF EXISTS "main"."receivables";

-- open_invoices: Invoices of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP VIEW IF EXISTS "main"."open_invoices";

-- journal_lines_current: What lives of journal_lines.
DROP VIEW IF EXISTS "main"."journal_lines_current";

-- journal_entries_current: What lives of journal_entries.
DROP VIEW IF EXISTS "main"."journal_entries_current";

-- invoices_current: What lives of invoices.
DROP VIEW IF EXISTS "main"."invoices_current";

-- contacts_current: What lives of contacts.
DROP VIEW IF EXISTS "main"."contacts_current";

-- accounts_current: What lives of accounts.
DROP VIEW IF EXISTS "main"."accounts_current";

