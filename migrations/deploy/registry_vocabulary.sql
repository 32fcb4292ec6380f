-- SPDX-License-Identifier: Apache-2.0
-- Deploy casetrace:registry_vocabulary to pg
BEGIN;

\set change registry_vocabulary
\ir ../guard.sql
\if :applied
COMMIT;
\quit
\endif

CREATE TABLE registry.vocabulary (
    kind     text NOT NULL CHECK (kind ~ '^[a-z][a-z_]{0,39}$'),
    value    text NOT NULL CHECK (length(value) BETWEEN 1 AND 60),
    title    text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    aliases  text[] NOT NULL DEFAULT '{}' CHECK (cardinality(aliases) <= 50),
    place    integer NOT NULL CHECK (place >= 1),
    PRIMARY KEY (kind, value)
);

COMMENT ON TABLE registry.vocabulary IS
    'the words that a field may hold, so that a new caliber is a row and not a release; written by migrations';
COMMENT ON COLUMN registry.vocabulary.kind IS 'the field, such as caliber';
COMMENT ON COLUMN registry.vocabulary.value IS 'the word that answers show; an alias is stored as written and shown as this';
COMMENT ON COLUMN registry.vocabulary.title IS 'what it means, for people who choose';
COMMENT ON COLUMN registry.vocabulary.aliases IS 'other ways to write the word that count as equal; case, blanks and hyphens never count';
COMMENT ON COLUMN registry.vocabulary.place IS 'place in the list that clients show, from 1 in each kind';

INSERT INTO registry.vocabulary (kind, value, title, aliases, place)
SELECT w.kind, w.value, w.title, coalesce(string_to_array(w.aliases, '|'), '{}'),
       row_number() OVER (PARTITION BY w.kind ORDER BY w.line)
FROM (SELECT v.*, row_number() OVER () AS line FROM (VALUES
    ('caliber', '9mm', '9 mm Luger', '9mm Luger|9x19|9x19mm|9mm Parabellum|9 Para|9mm NATO'),
    ('caliber', '.380 ACP', '.380 Automatic', '380|380 ACP|380 Auto|.380 Auto|9mm Kurz|9mm Short|9x17|9x17mm'),
    ('caliber', '.40 S&W', '.40 Smith & Wesson', '40|40 S&W|.40|40 SW|.40 SW|.40 Smith & Wesson|40 Smith & Wesson'),
    ('caliber', '.45 ACP', '.45 Automatic', '45|45 ACP|45 Auto|.45 Auto|.45|11.43x23mm'),
    ('caliber', '.22 LR', '.22 Long Rifle', '22|22 LR|.22|.22 Long Rifle|22 Long Rifle|22LR'),
    ('caliber', '.25 ACP', '.25 Automatic', '25|25 ACP|25 Auto|.25 Auto|6.35mm|6.35mm Browning'),
    ('caliber', '.32 ACP', '.32 Automatic', '32|32 ACP|32 Auto|.32 Auto|7.65mm|7.65mm Browning'),
    ('caliber', '.357 SIG', '.357 SIG', '357 SIG'),
    ('caliber', '.357 Magnum', '.357 Magnum', '357|357 Mag|.357 Mag|357 Magnum'),
    ('caliber', '.38 Special', '.38 Special', '38|38 Spl|.38 Spl|38 Special|.38 Spc'),
    ('caliber', '.38 Super', '.38 Super Automatic', '38 Super|.38 Super Auto'),
    ('caliber', '.44 Magnum', '.44 Remington Magnum', '44|44 Mag|.44 Mag|44 Magnum'),
    ('caliber', '.45 Colt', '.45 Colt', '45 Colt|.45 LC|45 LC|.45 Long Colt'),
    ('caliber', '.45 GAP', '.45 GAP', '45 GAP'),
    ('caliber', '10mm', '10 mm Automatic', '10mm Auto|10x25|10x25mm'),
    ('caliber', '.50 AE', '.50 Action Express', '50 AE|.50 Action Express'),
    ('caliber', '.22 WMR', '.22 Winchester Magnum Rimfire', '22 WMR|22 Mag|.22 Magnum'),
    ('caliber', '5.7x28mm', '5.7 x 28 mm', '5.7|5.7x28|FN 5.7'),
    ('caliber', '7.62x25mm', '7.62 x 25 mm Tokarev', '7.62x25|7.62 Tokarev'),
    ('caliber', '9x18mm', '9 x 18 mm Makarov', '9x18|9mm Makarov|9 Mak'),
    ('caliber', '.30 Super Carry', '.30 Super Carry', '30 Super Carry|30 SC'),
    ('caliber', '.327 Federal', '.327 Federal Magnum', '327|327 Federal|.327 Fed Mag'),
    ('firearm_type', 'pistol', 'Semi-automatic pistol', NULL),
    ('firearm_type', 'revolver', 'Revolver', NULL),
    ('firearm_type', 'derringer', 'Derringer', NULL),
    ('firearm_type', 'rifle', 'Rifle', NULL),
    ('firearm_type', 'shotgun', 'Shotgun', NULL),
    ('firearm_type', 'receiver', 'Frame or receiver', 'frame'),
    ('firearm_type', 'other', 'Another firearm', NULL),
    ('placement', 'firing_pin', 'Tip of the firing pin or striker: on the primer', 'striker'),
    ('placement', 'breech_face', 'Breech face: on the primer or the case head', NULL),
    ('placement', 'chamber', 'Wall of the chamber: on the side of the case', NULL),
    ('placement', 'rim', 'Where the rim of a rimfire case is struck', NULL),
    ('placement', 'extractor', 'Extractor: under or on the rim', NULL),
    ('placement', 'ejector', 'Ejector: on the case head', NULL),
    ('placement', 'other', 'Another part', NULL),
    ('offense', 'homicide', 'Homicide', 'murder'),
    ('offense', 'attempted_homicide', 'Attempted homicide', 'attempted murder'),
    ('offense', 'assault_with_firearm', 'Assault with a firearm', 'assault'),
    ('offense', 'shooting_at_dwelling', 'Shooting at an occupied dwelling or vehicle', NULL),
    ('offense', 'negligent_discharge', 'Negligent discharge', 'discharge'),
    ('offense', 'robbery', 'Robbery', NULL),
    ('offense', 'burglary', 'Burglary', NULL),
    ('offense', 'carjacking', 'Carjacking', NULL),
    ('offense', 'kidnapping', 'Kidnapping', NULL),
    ('offense', 'sexual_assault', 'Sexual assault', 'rape'),
    ('offense', 'domestic_violence', 'Domestic violence', NULL),
    ('offense', 'gang_offense', 'Offense of a gang', NULL),
    ('offense', 'drug_offense', 'Drug offense', NULL),
    ('offense', 'weapons_offense', 'Unlawful possession, carrying or dealing', NULL),
    ('offense', 'firearm_theft', 'Theft of firearms', NULL),
    ('offense', 'officer_involved', 'Shooting by or at an officer', NULL),
    ('offense', 'death_investigation', 'Death, cause not yet known', NULL),
    ('offense', 'other', 'Another offense', NULL),
    ('purpose', 'A', 'Administrative file maintenance', NULL),
    ('purpose', 'C', 'Criminal justice', NULL),
    ('purpose', 'D', 'Domestic violence and stalking, civil or criminal court', NULL),
    ('purpose', 'F', 'Firearms background check', NULL),
    ('purpose', 'H', 'Housing', NULL),
    ('purpose', 'I', 'Interstate approved use', NULL),
    ('purpose', 'J', 'Criminal justice employment', NULL),
    ('purpose', 'R', 'Restoration of rights', NULL),
    ('purpose', 'S', 'National security', NULL),
    ('purpose', 'V', 'Visa', NULL),
    ('purpose', 'X', 'Exigent procedures', NULL),
    ('custody_kind', 'shipped', 'Shipped to a licensee', NULL),
    ('custody_kind', 'received', 'Received', NULL),
    ('custody_kind', 'sold', 'Delivered to a purchaser; recorded as a sale', NULL),
    ('custody_kind', 'returned', 'Returned by the purchaser, or to whom it came from', NULL),
    ('custody_kind', 'transferred', 'Handed over to another licensee', NULL),
    ('custody_kind', 'lost', 'Reported lost', 'missing'),
    ('custody_kind', 'stolen', 'Reported stolen', NULL),
    ('custody_kind', 'recovered', 'Recovered after loss or theft', NULL),
    ('custody_kind', 'destroyed', 'Destroyed', NULL),
    ('custody_kind', 'exported', 'Exported', NULL),
    ('custody_kind', 'sold_to_law_enforcement', 'Sold to a law enforcement agency', NULL)
) AS v(kind, value, title, aliases)) AS w;

INSERT INTO registry.applied_change (change) VALUES (:'change');
COMMIT;
