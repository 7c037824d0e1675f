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

-- open_bills: Bills of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP TABLE IF EXISTS "open_bills";
CREATE VIEW "open_bills" AS
SELECT
  b."_company_id" AS "_company_id", b."_integration_type" AS "_integration_type",
  b."_platform_id" AS "_platform_id", b."document_number" AS "document_number", b."status" AS "status",
  b."posted_date" AS "posted_date", b."due_date" AS "due_date", b."contact_id" AS "contact_id",
  COALESCE(c."name", b."contact_name") AS "contact_name", b."currency_id" AS "currency_id",
  b."currency_code" AS "currency_code", b."currency_rate" AS "currency_rate",
  b."total_amount" AS "total_amount", b."amount_due" AS "amount_due", b."memo" AS "memo"
FROM (SELECT * FROM "bills" FINAL WHERE "_deleted_at" IS NULL) AS b
LEFT JOIN (SELECT * FROM "contacts" FINAL WHERE "_deleted_at" IS NULL) AS c
  ON c."_company_id" = b."_company_id" AND c."_integration_type" = b."_integration_type" AND c."_platform_id" = b."contact_id"
WHERE b."amount_due" + 0 <> 0 AND COALESCE(b."status", '') NOT IN ('DRAFT', 'VOID');

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

-- payables: What is owed to contacts: for each company, contact and currency the number of open bills, the sum that is due, and the first date on which a part of it is.
DROP TABLE IF EXISTS "payables";
CREATE VIEW "payables" AS
SELECT
  o."_company_id" AS "_company_id", o."_integration_type" AS "_integration_type",
  o."contact_id" AS "contact_id", o."currency_id" AS "currency_id", MAX(o."contact_name") AS "contact_name",
  MAX(o."currency_code") AS "currency_code", COUNT(*) AS "documents", SUM(o."amount_due") AS "amount_due",
  MIN(o."due_date") AS "first_due_date"
FROM "open_bills" AS o
GROUP BY o."_company_id", o."_integration_type", o."contact_id", o."currency_id";

-- invoice_payments_detailed: Payments of invoices with the number, date and amount of the invoice, and the contact's name.
DROP TABLE IF EXISTS "invoice_payments_detailed";
CREATE VIEW "invoice_payments_detailed" AS
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
  FROM (SELECT * FROM "invoice_payments" FINAL WHERE "_deleted_at" IS NULL) AS p
  LEFT JOIN (SELECT * FROM "invoices" FINAL WHERE "_deleted_at" IS NULL) AS d
    ON d."_company_id" = p."_company_id" AND d."_integration_type" = p."_integration_type" AND d."_platform_id" = p."invoice_id"
) AS s
LEFT JOIN (SELECT * FROM "contacts" FINAL WHERE "_deleted_at" IS NULL) AS c
  ON c."_company_id" = s."_company_id" AND c."_integration_type" = s."_integration_type" AND c."_platform_id" = s."contact_id";

-- bill_payments_detailed: Payments of bills with the number, date and amount of the bill, and the contact's name.
DROP TABLE IF EXISTS "bill_payments_detailed";
CREATE VIEW "bill_payments_detailed" AS
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
  FROM (SELECT * FROM "bill_payments" FINAL WHERE "_deleted_at" IS NULL) AS p
  LEFT JOIN (SELECT * FROM "bills" FINAL WHERE "_deleted_at" IS NULL) AS d
    ON d."_company_id" = p."_company_id" AND d."_integration_type" = p."_integration_type" AND d."_platform_id" = p."bill_id"
) AS s
LEFT JOIN (SELECT * FROM "contacts" FINAL WHERE "_deleted_at" IS NULL) AS c
  ON c."_company_id" = s."_company_id" AND c."_integration_type" = s."_integration_type" AND c."_platform_id" = s."contact_id";

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

-- bill_payments_detailed: Payments of bills with the number, date and amount of the bill, and the contact's name.
DROP TABLE IF EXISTS "bill_payments_detailed";

-- invoice_payments_detailed: Payments of invoices with the number, date and amount of the invoice, and the contact's name.
DROP TABLE IF EXISTS "invoice_payments_detailed";

-- payables: What is owed to contacts: for each company, contact and currency the number of open bills, the sum that is due, and the first date on which a part of it is.
DROP TABLE IF EXISTS "payables";

-- receivables: What contacts owe: for each company, contact and currency the number of open invoices, the sum that is due, and the first date on which a part of it is.
DROP TABLE IF EXISTS "receivables";

-- open_bills: Bills of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP TABLE IF EXISTS "open_bills";

-- open_invoices: Invoices of which an amount is still due, without drafts and void ones. The name of the contact is the one that it has now.
DROP TABLE IF EXISTS "open_invoices";

