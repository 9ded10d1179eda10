//! The corners of the grammar of lines.

use super::*;

fn text(span: Span, scan: &Scan) -> String {
    span.of(&scan.bytes).escape_ascii().to_string()
}

fn field(field: &RawField, scan: &Scan) -> String {
    let (name, text) = (text(field.name, scan), text(field.text, scan));
    match field.value {
        RawValue::Tag => format!("{name}=#{text}"),
        RawValue::String => format!("{name}='{text}'"),
        RawValue::Null => format!("{name}=-{text}"),
        RawValue::Float(value) => format!("{name}={value}"),
        value => format!("{name}={value:?}"),
    }
}

/// All lines of a body. Of a refused one: the code, the byte, and the name and text that messages have.
fn read(body: &[u8]) -> String {
    let mut scan = Scan::new(body.to_vec());
    let mut lines = Vec::new();
    loop {
        let ended = scan.line();
        let mut words = vec![text(scan.line.table, &scan)];
        match ended {
            Ended::Complete => {
                words.extend(scan.line.fields.iter().map(|raw| field(raw, &scan)));
                if scan.line.timestamp != i64::MIN {
                    words.push(format!("@{}", scan.line.timestamp));
                }
                words.extend(scan.line.unit.map(|unit| format!("{unit:?}")));
            }
            Ended::Underflow => return lines.join("; "),
            Ended::Refused(code) => {
                words = vec![format!("{code:?} {}", scan.at)];
                if code == Code::InvalidTimestamp {
                    words.push(text(scan.bad_timestamp, &scan));
                }
                words.extend(scan.last().map(|last| field(last, &scan)));
            }
        }
        lines.push(words.join(" "));
        if ended != Ended::Complete {
            return lines.join("; ");
        }
    }
}

fn check(rows: &[(&[u8], &str)]) {
    for (body, expected) in rows {
        assert_eq!(read(body), *expected, "{}", body.escape_ascii());
    }
}

#[test]
fn lines_end_and_begin() {
    check(&[
        (b"", ""),
        (b"t a=1\nu a=2", "t a=1; u a=2"),
        (b"t a=1\ru a=2\r\n", "t a=1; u a=2"),
        (b"\n\r=\n=t a=1\n\n=", "t a=1"),
        (b"t", "NoFields 1"),
        (b"t=1 a=1", "NoFields 1"),
        (b"t,\n", "NoFields 2"),
        (b"t \n", "NoFields 2"),
        (b"t  5\n", "NoFields 4"),
        (b",a=b", " a=#b"),
        (b" a=1", " a=1"),
        // Inside of a line, the body is over.
        (b"t a=1\nu a=1\\", "t a=1"),
    ]);
}

#[test]
fn backslashes_make_plain_bytes() {
    check(&[
        (b"a\\,b\\ c\\=d e\\\nf\\\r=1", "a,b c=d e\\nf\\r=1"),
        (b"\\=t,\\,=\\ ,a\\b=\\c d=1", "=t ,=#  ab=#c d=1"),
        (b"\\/\\\0 a\\/=1", "/\\x00 a/=1"),
        (b"t,a=\\\\,b=\\/ c=\"\\\\\"", "t a=#\\\\ b=#/ c='\\\\'"),
        (b"t a=\\1\\.\\5 \\7\\n", "t a=1.5 @7 Nanos"),
        (b"t\\\\ a=1", "InvalidTableName 2"),
        (b"t a\\\\=1", "InvalidColumnName 4 a\\\\=-"),
        (b"t,\\\\=1", "InvalidColumnName 3 \\\\=-"),
        // One more byte than the name: the one that lies behind it.
        (b"t a\\,bcd/e=1", "InvalidColumnName 8 a,bcdd=-"),
        (b"t a\\,b\\c\\\\", "InvalidColumnName 9 a,bc\\\\=-"),
    ]);
}

#[test]
fn strays_are_refused_by_where_they_are() {
    check(&[
        (b"t/ a=1", "InvalidTableName 1"),
        (b"\0 a=1", "InvalidTableName 0"),
        (b"t ab/=1", "InvalidColumnName 4 ab/=-"),
        (b"t,ab\0=1", "InvalidColumnName 4 ab\\x00=-"),
        (b"t a=1,/=1", "InvalidColumnName 6 a=1"),
        (b"t,a=/ b=\"\0/\"", "t a=#/ b='\\x00/'"),
        (b"t,a=b\0", "InvalidFieldValue 5 a=-"),
        (b"t a=b\0", "InvalidFieldValue 5 a=-"),
        (b"t a=/", "InvalidFieldValue 5 a=-/"),
        (b"t a=1 5/", "None 7 a=1"),
        (b"u a=1\nt a=1 \0", "u a=1; None 12 a=1"),
        (b"\nt a=1 \\\\", "EmptyLine 8 a=1"),
        (b"u a=1\n\nt a=1 /", "u a=1; EmptyLine 13 a=1"),
    ]);
}

#[test]
fn quotes_mean_something_where_a_field_s_value_begins() {
    check(&[
        (b"t\",a\"b=\"c\" d\"=\"e\"", "t\\\" a\\\"b=#\\\"c\\\" d\\\"='e'"),
        (b"t,a=\"b c=1", "t a=#\\\"b c=1"),
        (b"t a=\"\",b=\"x, =\r\ty\" 5", "t a='' b='x, =\\r\\ty' @5"),
        (b"t a=\"x\\\ny\\\"z\"", "t a='x\\ny\\\"z'"),
        (b"t a=\"x\n", "InvalidFieldValue 6 a=-"),
        (b"t a=\"", "InvalidFieldValue 5 a=-"),
        (b"t a=\"x\\", ""),
        (b"t a=\"x\"\"", "InvalidFieldValue 7 a=-"),
        (b"t a=\"x\"\\\"", "t a='x\\\"'"),
        (b"t a=\"x\"y", "InvalidFieldValue 8 a=-\\\"x\\\"y"),
        (b"t a=\"x\"=", "InvalidFieldSeparator 7 a=-"),
        (b"t a=\\\"x\"", "t a='x'"),
        (b"t a=\\\"x y\"", "InvalidFieldValue 7 a=-\\\"x"),
        (b"t a=1\"\"", "InvalidFieldValue 7 a=-1\\\"\\\""),
    ]);
}

#[test]
fn names_and_values_come_in_pairs() {
    check(&[
        (b"t,a=b,\n", "t a=#b"),
        (b"t,a=b, c=1,\n", "t a=#b c=1"),
        (b"t, a=1, 5\n", "t a=1 @5"),
        (b"t,a= b=,c= 5", "t a=# b=- c=- @5"),
        (b"t,=b", "IncompleteTag 2"),
        (b"t =1", "IncompleteField 2"),
        (b"t,a b=1", "MissingTagValue 3 a=-"),
        (b"t,a=b,,", "MissingTagValue 6 a=#b"),
        (b"t,a", "MissingTagValue 3 a=-"),
        (b"t,a=b,5", "MissingTagValue 7 5=-"),
        (b"t a,b=1", "MissingFieldValue 3 a=-"),
        (b"t a=1,,", "MissingFieldValue 6 a=1"),
        (b"t a=1,b\n", "MissingFieldValue 7 b=-"),
        (b"t,a=b=c", "InvalidFieldSeparator 5 a=-"),
        (b"t,a==c", "InvalidFieldSeparator 4 a=-"),
        (b"t a=1=2", "InvalidFieldSeparator 5 a=-"),
    ]);
}

#[test]
fn timestamps_are_the_last_word() {
    check(&[
        (
            b"t a=1 5\nt a=1 -6t\nt a=1 7m\nt a=1 8n",
            "t a=1 @5; t a=1 @-6 Micros; t a=1 @7 Millis; t a=1 @8 Nanos",
        ),
        (b"t a=1 5n\nt a=1 \n", "t a=1 @5 Nanos; t a=1"),
        (b"t a=1 -9223372036854775808", "t a=1"),
        (b"t a=1 5x", "InvalidTimestamp 8 5x a=1"),
        (b"t a=1 n", "InvalidTimestamp 7  a=1"),
        (b"t  x", "InvalidTimestamp 4 x"),
        (b"t a=1 5 \n", "InvalidFieldSeparator 7 a=1"),
        (b"t a=1 5,", "InvalidFieldSeparator 7 a=1"),
        (b"t a=1 =", "InvalidFieldSeparator 6 a=1"),
        // Behind tags alone there may be one blank or two.
        (b"t,a=b 5n\nt,a=b  6", "t a=#b @5 Nanos; t a=#b @6"),
        (b"t,a=b \n", "t a=#b"),
        (b"t,a=b x", "InvalidTimestamp 7 x a=#b"),
        (b"t,a=b 5/", "InvalidColumnName 7 5/=-"),
        (b"t,a=b 5 ", "MissingFieldValue 7 5=-"),
        (b"t,a=b c=1,5", "MissingFieldValue 11 5=-"),
        (b"t 5", "MissingFieldValue 3 5=-"),
    ]);
}

#[test]
fn binary_values_end_where_their_length_says() {
    check(&[
        (b"t a==\x06\x01,b==\x06\n 5", "t a=Boolean(true) b=Boolean(false) @5"),
        (b"t a==\x06\x01\nt a==\x06\x01\r\nt a==\x06\x01", &["t a=Boolean(true)"; 3].join("; ")),
        (b"t a==\x06\x01,\n", "t a=Boolean(true)"),
        (b"t a==\x10,\n= \"\\\0\x40,", &format!("t a={}", f64::from_le_bytes(*b",\n= \"\\\0\x40"))),
        (b"t a==\x06\x01x", "InvalidFieldSeparator 6 a=Boolean(true)"),
        (b"t a==\x06\x01=", "InvalidFieldSeparator 6 a=Boolean(true)"),
        (b"t a==\x0e\x05", "ArrayInvalidType 5 a=-"),
        (b"t a==c", "UnsupportedBinaryFormat 5 a=-"),
        // The end that is added to the body counts as the value's, too.
        (b"t a==", "UnsupportedBinaryFormat 5 a=-"),
        (b"t a==\x06", ""),
        (b"t a==\x10\0\0", ""),
    ]);
}
