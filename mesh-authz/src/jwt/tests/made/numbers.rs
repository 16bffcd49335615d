//! As much arithmetic on large numbers, big-endian, as it takes to make a signature that no library makes.

/// `base` to the power of `exponent`, modulo an odd `modulus` of whole 64-bit words (Montgomery's multiplication).
pub(super) fn power(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let n = words(modulus);
    let mut inverse = 1_u64;
    for _ in 0..6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(n[0].wrapping_mul(inverse)));
    }
    let times = |a: &[u64], b: &[u64]| multiply(a, b, &n, inverse.wrapping_neg());
    // 2 to the power of 64 for each word of the modulus, then of 128.
    let double = |mut number: Vec<u64>, count: usize| {
        for _ in 0..count {
            let carry = number.last().unwrap() >> 63;
            for at in (0..number.len()).rev() {
                number[at] = number[at] << 1 | if at > 0 { number[at - 1] >> 63 } else { 0 };
            }
            reduce(&mut number, carry, &n);
        }
        number
    };
    let mut unit = vec![0; n.len()];
    unit[0] = 1;
    let one = double(unit.clone(), 64 * n.len());
    let base = times(&words(base), &double(one.clone(), 64 * n.len()));
    let bits = exponent.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1));
    let power = bits.fold(one, |power, bit| {
        let square = times(&power, &power);
        if bit { times(&square, &base) } else { square }
    });
    let mut bytes: Vec<u8> = times(&power, &unit).iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.reverse();
    bytes
}

/// `a - b`, of the length of `a`, which is not the smaller one.
pub(super) fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
    digits(a, b, |a, b, borrow| {
        (a.wrapping_sub(b).wrapping_sub(borrow), u8::from(u16::from(b) + u16::from(borrow) > u16::from(a)))
    })
}

/// `a + b`, without what does not fit into the length of `a`.
pub(super) fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    digits(a, b, |a, b, carry| {
        let [high, low] = (u16::from(a) + u16::from(b) + u16::from(carry)).to_be_bytes();
        (low, high)
    })
}

fn digits(a: &[u8], b: &[u8], step: impl Fn(u8, u8, u8) -> (u8, u8)) -> Vec<u8> {
    let mut carry = 0;
    let other = b.iter().rev().copied().chain(std::iter::repeat(0));
    let mut bytes: Vec<u8> = std::iter::zip(a.iter().rev(), other)
        .map(|(a, b)| {
            let (digit, over) = step(*a, b, carry);
            carry = over;
            digit
        })
        .collect();
    bytes.reverse();
    bytes
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.rchunks(8).map(|word| word.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))).collect()
}

/// `a` times `b` over 2 to the power of 64 for each word, modulo `n`.
fn multiply(a: &[u64], b: &[u64], n: &[u64], inverse: u64) -> Vec<u64> {
    let size = n.len();
    let mut sum = vec![0_u64; size + 1];
    for digit in b {
        let mut over = 0;
        let carry = add_product(&mut sum[..size], a, *digit, 0);
        let (top, carried) = sum[size].overflowing_add(carry);
        over += u64::from(carried);
        let factor = sum[0].wrapping_mul(inverse);
        let carry = add_product(&mut sum[..size], n, factor, 0);
        let (top, carried) = top.overflowing_add(carry);
        over += u64::from(carried);
        // The lowest word is nothing now.
        sum.remove(0);
        sum[size - 1] = top;
        sum.push(over);
    }
    let top = sum.pop().unwrap();
    reduce(&mut sum, top, n);
    sum
}

fn add_product(sum: &mut [u64], number: &[u64], digit: u64, carry: u64) -> u64 {
    std::iter::zip(sum, number).fold(carry, |carry, (sum, word)| {
        let whole = u128::from(*sum) + u128::from(*word) * u128::from(digit) + u128::from(carry);
        *sum = whole as u64;
        (whole >> 64) as u64
    })
}

/// Takes `n` away once, where the number, with `top` as a further word, is not below it.
fn reduce(number: &mut [u64], top: u64, n: &[u64]) {
    if top == 0 && number.iter().rev().lt(n.iter().rev()) {
        return;
    }
    let mut borrow = false;
    for (digit, word) in std::iter::zip(number, n) {
        let (less, first) = digit.overflowing_sub(*word);
        let (less, second) = less.overflowing_sub(u64::from(borrow));
        (*digit, borrow) = (less, first || second);
    }
}
