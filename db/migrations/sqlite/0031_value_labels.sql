-- +goose Up

-- The words in which values of a list are printed, beside the list (x-labels). They change nothing of what a type takes, so its version stays.
UPDATE declaration_types SET content_schema = replace(content_schema, '"enum":["hire","conversion"]',
    '"enum":["hire","conversion"],"x-labels":{"hire":"assunzione a tempo pieno e indeterminato","conversion":"trasformazione a tempo indeterminato"}')
    WHERE code = '76-2013' AND version = 1;
UPDATE declaration_types SET content_schema = replace(content_schema, '"enum":["aspi","naspi"]',
    '"enum":["aspi","naspi"],"x-labels":{"aspi":"ASpI","naspi":"NASpI"}')
    WHERE code = '76-2013' AND version = 1;
UPDATE declaration_types SET content_schema = replace(content_schema, '"enum":["over_79_percent","from_67_to_79_percent","intellectual_or_psychic_over_45_percent"]',
    '"enum":["over_79_percent","from_67_to_79_percent","intellectual_or_psychic_over_45_percent"],"x-labels":{"over_79_percent":"riduzione della capacità lavorativa superiore al 79 per cento","from_67_to_79_percent":"riduzione della capacità lavorativa dal 67 al 79 per cento","intellectual_or_psychic_over_45_percent":"disabilità intellettiva o psichica superiore al 45 per cento"}')
    WHERE code = '151-2015' AND version = 1;
UPDATE declaration_types SET content_schema = replace(content_schema, '"enum":["permanent","conversion","fixed_term"]',
    '"enum":["permanent","conversion","fixed_term"],"x-labels":{"permanent":"a tempo indeterminato","conversion":"trasformazione a tempo indeterminato","fixed_term":"a tempo determinato"}')
    WHERE code = '151-2015' AND version = 1;
UPDATE declaration_types SET content_schema = replace(content_schema, '"enum":["permanent","fixed_term","apprenticeship"]',
    '"enum":["permanent","fixed_term","apprenticeship"],"x-labels":{"permanent":"a tempo indeterminato","fixed_term":"a tempo determinato","apprenticeship":"di apprendistato"}')
    WHERE code = 'DETI-arr' AND version = 1;
