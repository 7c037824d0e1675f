-- open_invoices: Invoices of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP TABLE IF EXISTS "open_invoices";
CREATE VIEW "open_invoices" AS
SELECT
  i."_company_id" AS "_company_id", i."_integration_type" AS "_integration_type",
  i."_platform_id" AS "_platform_id", i."document_number" AS "document_number", i."status" AS "status",
  i."posted_date" AS "posted_date", i."due_date" AS "due_date", i."contact_id" AS "contact_id",
  COALESCE(c."name", i."contact_name") AS "contact_name", i."currency_id" AS "currency_id",
  i."currency_code" AS "currency_code", i."currency_rate" AS "currency_rate",
  i."total_amount" AS "total_amount", i."amount_due" AS "amount_due", i."memo" AS "memo"
FROM (SELECT * FROM "invoices" FINAL WHERE "_deleted_at" IS NULL) AS i
LEFT JOIN (SELECT * FROM "contacts" FINAL WHERE "_deleted_at" IS NULL) AS c
  ON c."_company_id" = i."_company_id" AND c."_integration_type" = i."_integration_type" AND c."_platform_id" = i."contact_id"
WHERE i."amount_due" + 0 <> 0 AND COALESCE(i."status", '') NOT IN ('DRAFT', 'VOID');

-- receivables: What contacts owe: for each company, contact and currency the number of open invoices, the sum that is due, and the first date on which a part of it is.
DROP TABLE IF EXISTS "receivables";
CREATE VIEW "receivables" AS
SELECT
  o."_company_id" AS "_company_id", o."_integration_type" AS "_integration_type",
  o."contact_id" AS "contact_id", o."currency_id" AS "currency_id", MAX(o."contact_name") AS "contact_name",
  MAX(o."currency_code") AS "currency_code", COUNT(*) AS "documents", SUM(o."amount_due") AS "amount_due",
  MIN(o."due_date") AS "first_due_date"
FROM "open_invoices" AS o
GROUP BY o."_company_id", o."_integration_type", o."contact_id", o."currency_id";

-- general_ledger: The lines of journal entries with the entry's date, number and currency, and the account's code, name and category. A line without its entry or account stays, with nulls. Whether net_amount is to the debit or to the credit is in type.
DROP TABLE IF EXISTS "general_ledger";
CREATE VIEW "general_ledger" AS
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
  FROM (SELECT * FROM "journal_lines" FINAL WHERE "_deleted_at" IS NULL) AS l
  LEFT JOIN (SELECT * FROM "journal_entries" FINAL WHERE "_deleted_at" IS NULL) AS e
    ON e."_company_id" = l."_company_id" AND e."_integration_type" = l."_integration_type" AND e."_platform_id" = l."journal_entry_id"
) AS s
LEFT JOIN (SELECT * FROM "accounts" FINAL WHERE "_deleted_at" IS NULL) AS a
  ON a."_company_id" = s."_company_id" AND a."_integration_type" = s."_integration_type" AND a."_platform_id" = s."account_id";

-- general_ledger: The lines of journal entries with the entry's date, number and currency, and the account's code, name and category. A line without its entry or account stays, with nulls. Whether net_amount is to the debit or to the credit is in type.
DROP TABLE IF EXISTS "general_ledger";

-- receivables: What contacts owe: for each company, contact and currency the number of open invoices, the sum that is due, and the first date on which a part of it is.
DROP TABLE IF EXISTS "receivables";

-- open_invoices: Invoices of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP TABLE IF EXISTS "open_invoices";

