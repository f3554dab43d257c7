use arrow::array::Float64Array;

use super::*;

/// Computes `scaled` slowly, digit by digit of the text.
fn by_text(double: f64, scale: i32) -> Option<i128> {
    let text = format!("{double:e}");
    let (number, exponent) = text.split_once('e').unwrap();
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let whole = number.trim_start_matches('-').split('.').next().unwrap().len() as i32;
    // digits before the point of the result
    let kept = whole + exponent.parse::<i32>().unwrap() + scale;
    let kept_digits: String = (0..kept.max(0)).map(|place| digits.chars().nth(place as usize).unwrap_or('0')).collect();
    let next = if kept < 0 { '0' } else { digits.chars().nth(kept as usize).unwrap_or('0') };
    let size = format!("0{kept_digits}").parse::<i128>().ok()?.checked_add(i128::from(next >= '5'))?;
    Some(if double < 0.0 { -size } else { size })
}

#[test]
fn a_double_is_what_its_shortest_text_says() {
    for (double, scale, expected) in [
        (1.005, 2, 101),
        (0.285, 2, 29),
        (-1.005, 2, -101),
        (2.675, 2, 268),
        (1.0049999999999997, 2, 100),
        (0.5, 0, 1),
        (0.49999999999999994, 0, 0),
        (-0.5, 0, -1),
        (-0.0, 3, 0),
        (1e22, 0, 10_i128.pow(22)),
        (1.5e-7, 7, 2),
        (123456789012345680.0, 2, 12_345_678_901_234_568_000),
        (1234.5, -2, 12),
        (1250.0, -2, 13),
        (5e-324, 38, 0),
    ] {
        assert_eq!(scaled(double, scale), Some(expected), "{double} {scale}");
    }
    assert_eq!(scaled(1e39, 0), None);
    assert_eq!(scaled(f64::NAN, 0), None);
    assert_eq!(scaled(f64::INFINITY, 0), None);
}

#[test]
fn many_doubles_as_by_their_texts() {
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 29)
    };
    for _ in 0..200_000 {
        let scale = (random() % 24) as i32 - 4;
        let small = (random() % 200_000) as f64 - 100_000.0;
        let power = f64::powi(10.0, (random() % 12) as i32);
        let double = match random() % 4 {
            0 => f64::from_bits(random()),
            // near a tie
            1 => (small + 0.5) / power,
            2 => f64::from(random() as i32) / power,
            _ => small * 1.000_000_7 * power,
        };
        if !double.is_finite() || double.abs() > 1e17 {
            continue;
        }
        assert_eq!(scaled(double, scale as i8), by_text(double, scale), "{double} {scale}");
        let rounded = by_text(double, scale).map(|digits| format!("{digits}e{}", -scale).parse::<f64>().unwrap());
        // a double without further digits stays as it is
        let expected = match shortest(double) {
            Some((_, exponent)) if exponent + scale >= 0 => double,
            _ => rounded.unwrap(),
        };
        assert_eq!(round(double, scale, Round::HalfUp), expected, "{double} {scale}");
    }
}

#[test]
fn digits_are_cut_as_the_text_has_them() {
    for (double, places, expected) in
        [(0.29, 2, 0.29), (1.15, 2, 1.15), (-1.159, 2, -1.15), (1234.9, -2, 1200.0), (0.999, 0, 0.0), (8.41, 2, 8.41)]
    {
        assert_eq!(round(double, places, Round::Down), expected, "{double} {places}");
    }
    assert!(round(f64::NAN, 2, Round::HalfUp).is_nan());
    assert_eq!(round(f64::INFINITY, 2, Round::HalfUp), f64::INFINITY);
    assert!(round(-0.4, 0, Round::HalfUp).is_sign_positive());
}

#[test]
fn what_does_not_fit_is_an_error_or_a_null() {
    let doubles = Float64Array::from(vec![Some(9.994), None, Some(9.995), Some(f64::NAN)]);
    assert!(of_floats(&doubles, 3, 2, false).unwrap_err().to_string().contains("9.995"));
    let decimals = of_floats(&doubles, 3, 2, true).unwrap();
    let decimals: Vec<_> = decimals.as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(decimals, [Some(999), None, None, None]);
}

#[test]
fn quotients_are_rounded_half_up() {
    for (number, by, expected) in
        [(5, 2, 3), (-5, 2, -3), (5, -2, -3), (1, 3, 0), (2, 3, 1), (-2, 3, -1), (0, 7, 0), (1, -2, -1), (7, 7, 1)]
    {
        let quotient = divide_half_up(i256::from_i128(number), i256::from_i128(by));
        assert_eq!(quotient, Some(i256::from_i128(expected)), "{number} / {by}");
    }
    assert_eq!(divide_half_up(i256::ONE, i256::ZERO), None);
}
