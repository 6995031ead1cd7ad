from django.db import migrations, models


# What is searched on SQLite: a table, and the columns whose changes have to be indexed again.
TEXTS = {
    "calls_contact": ["nickname", "wxid"],
    "calls_call": ["voipid"],
    "calls_attempt": ["message"],
    "calls_note": ["text"],
}

# The short pieces that a text contains, in one case: those of three characters first, then those of one and two, without
# plain digits. Fast for many short texts; called for each row that is stored, so its cost says not to call it for a scan.
GRAMS = """
CREATE FUNCTION calls_pieces(body text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
DECLARE
  upper_body text := upper(body);
  characters text[] := string_to_array(upper_body, NULL);
  number int := cardinality(characters);
  pieces text[] := '{}';
BEGIN
  FOR i IN 1 .. number - 2 LOOP
    pieces := pieces || (characters[i] || characters[i + 1] || characters[i + 2]);
  END LOOP;
  IF upper_body ~ '^[0-9]*$' THEN
    RETURN pieces;
  END IF;
  FOR i IN 1 .. number LOOP
    IF characters[i] !~ '^[0-9]$' THEN
      pieces := pieces || characters[i];
    END IF;
    IF i < number AND (characters[i] || characters[i + 1]) !~ '^[0-9]*$' THEN
      pieces := pieces || (characters[i] || characters[i + 1]);
    END IF;
  END LOOP;
  RETURN pieces;
END
$$
"""


def prepare(apps, schema_editor):
    """Empty, whatever the tables hold: what is there already is indexed while the server runs."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(GRAMS)
    else:
        for table, columns in TEXTS.items():
            _prepare_sqlite(schema_editor, table, columns)


def _prepare_sqlite(schema_editor, table, columns):
    # Contentless and without positions: which rows have which words, and nothing else.
    schema_editor.execute(
        f"CREATE VIRTUAL TABLE {table}_pieces"
        " USING fts5(pieces, content='', detail='none', columnsize=0, tokenize='ascii')"
    )
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    schema_editor.execute(
        f"CREATE TRIGGER {table}_text_changed AFTER UPDATE OF {', '.join(columns)} ON {table} WHEN {changed} BEGIN"
        f' INSERT INTO calls_changedtext ("table", "row") SELECT \'{table}\', NEW.id'
        f" WHERE NOT EXISTS (SELECT 1 FROM calls_changedtext WHERE \"table\" = '{table}' AND \"row\" = NEW.id); END"
    )


def take_away(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION calls_pieces CASCADE")
        return
    for table in TEXTS:
        schema_editor.execute(f"DROP TABLE {table}_pieces")
        schema_editor.execute(f"DROP TRIGGER {table}_text_changed")


class Migration(migrations.Migration):

    dependencies = [
        ('calls', '0007_rollups'),
    ]

    operations = [
        migrations.CreateModel(
            name='IndexedUpTo',
            fields=[
                ('table', models.CharField(max_length=60, primary_key=True, serialize=False)),
                ('row', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='ChangedText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=60)),
                ('row', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('table', 'row'), name='changed_text_once')],
            },
        ),
        migrations.RunPython(prepare, take_away),
    ]
