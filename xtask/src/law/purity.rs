use std::iter::Peekable;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What a pure crate's sources may touch beyond the rest.
#[derive(Debug, Clone, Copy)]
pub struct Purity {
    /// `std::time::Instant` as a value that is passed in, and socket addresses as data.
    pub instants_and_addresses: bool,
}

/// Names that no pure source may hold, whatever path leads to them.
const NAMES: [&[&str]; 4] = [
    // Runtimes and sockets.
    &["tokio", "async_std", "smol", "mio", "socket2", "reqwest", "hyper"],
    &["UdpSocket", "TcpStream", "TcpListener", "UnixStream", "UnixListener", "UnixDatagram", "ToSocketAddrs"],
    // Clocks and unseeded randomness.
    &["SystemTime", "getrandom", "OsRng", "SysRng", "ThreadRng", "RandomState"],
    // They go through their items in another order in every process.
    &["HashMap", "HashSet"],
];

/// Functions of `rand` that seed themselves.
const UNSEEDED: [&str; 5] = ["thread_rng", "from_os_rng", "from_entropy", "try_from_os_rng", "make_rng"];

/// Modules of `std` that reach outside the process or start threads.
const MODULES: [&str; 6] = ["fs", "env", "thread", "process", "net", "os"];

/// Of `std::net`, what is only data.
const ADDRESSES: [&str; 6] = ["SocketAddr", "SocketAddrV4", "SocketAddrV6", "IpAddr", "Ipv4Addr", "Ipv6Addr"];

/// One line for each impurity in the source text of a pure crate. Code under `#[cfg(test)]`, comments and
/// literals don't count. An error is one of the lexer's.
pub fn purity(source: &str, allowed: Purity) -> Result<Vec<String>, String> {
    let tokens = lex(source)?;
    let mut broken = Vec::new();
    for path in std_paths(&tokens) {
        let (module, item) =
            (path.first().map_or("", String::as_str), path.get(1).map_or("", String::as_str));
        let address = allowed.instants_and_addresses && module == "net" && ADDRESSES.contains(&item);
        if MODULES.contains(&module) && !address {
            broken.push(format!("std::{}", path.join("::")));
        }
    }
    let words: Vec<_> = words(&tokens);
    for (index, word) in words.iter().enumerate() {
        let name = word.as_str();
        let clock = match name {
            "Instant" if allowed.instants_and_addresses => {
                words[index + 1..].starts_with(&[":", ":", "now"].map(str::to_owned))
            }
            "Instant" => true,
            _ => false,
        };
        if clock
            || NAMES.iter().any(|names| names.contains(&name))
            || UNSEEDED.contains(&name)
            || name == "unsafe"
        {
            broken.push(name.to_owned());
        }
        if name == "unsafe_code" && !words[..index].ends_with(&["forbid".to_owned()]) {
            broken.push("unsafe_code, other than forbidden".to_owned());
        }
    }
    broken.dedup();
    Ok(broken)
}

/// One line for each way in which a source text outside the two folders for it has `unsafe`.
pub fn unsafety(source: &str) -> Result<Vec<String>, String> {
    let words = words(&lex(source)?);
    let mut broken = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if word == "unsafe" {
            broken.push("unsafe".to_owned());
        }
        let before = &words[..index];
        if word == "unsafe_code"
            && !(before.ends_with(&["forbid".to_owned()]) || before.ends_with(&["deny".to_owned()]))
        {
            broken.push("unsafe_code, other than forbidden".to_owned());
        }
    }
    Ok(broken)
}

fn lex(source: &str) -> Result<TokenStream, String> {
    source.parse().map_err(|e| format!("not Rust: {e}"))
}

/// Identifiers and punctuation in order, groups flattened, what is under `#[cfg(test)]` left out.
fn words(tokens: &TokenStream) -> Vec<String> {
    fn collect(tokens: TokenStream, words: &mut Vec<String>) {
        for token in without_tests(tokens) {
            match token {
                TokenTree::Group(group) => collect(group.stream(), words),
                TokenTree::Ident(ident) => words.push(ident.to_string()),
                TokenTree::Punct(punct) => words.push(punct.as_char().to_string()),
                TokenTree::Literal(_) => words.push(String::new()),
            }
        }
    }
    let mut found = Vec::new();
    collect(tokens.clone(), &mut found);
    found
}

/// The tokens without the items under `#[cfg(test)]` or `#[test]`.
fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_punct(&token, '#')
            && let Some(TokenTree::Group(attribute)) = tokens.peek()
            && matches!(attribute.stream().to_string().replace(' ', "").as_str(), "cfg(test)" | "test")
        {
            tokens.next();
            skip_item(&mut tokens);
        } else {
            kept.push(token);
        }
    }
    kept
}

/// Up to and with the body in braces or the semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        let body = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        if body || is_punct(&token, ';') {
            return;
        }
    }
}

/// What follows `std::` and `core::`, with `use` groups spelled out.
fn std_paths(tokens: &TokenStream) -> Vec<Vec<String>> {
    fn search(tokens: TokenStream, found: &mut Vec<Vec<String>>) {
        let mut tokens = without_tests(tokens).into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) if ident == "std" || ident == "core" => {
                    if next_is_path(&mut tokens) {
                        path(&mut tokens, &[], found);
                    }
                }
                TokenTree::Group(group) => search(group.stream(), found),
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    search(tokens.clone(), &mut found);
    found
}

/// After `prefix::`: the rest of the path, or of each path of a group.
fn path<I: Iterator<Item = TokenTree>>(
    tokens: &mut Peekable<I>,
    prefix: &[String],
    found: &mut Vec<Vec<String>>,
) {
    let mut path_so_far = prefix.to_vec();
    loop {
        match tokens.peek() {
            Some(TokenTree::Ident(ident)) => path_so_far.push(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let mut inner = group.stream().into_iter().peekable();
                while inner.peek().is_some() {
                    path(&mut inner, &path_so_far, found);
                    while inner.next_if(|t| !is_punct(t, ',')).is_some() {}
                    inner.next();
                }
                tokens.next();
                return;
            }
            Some(_) | None => {
                found.push(path_so_far);
                return;
            }
        }
        tokens.next();
        if !next_is_path(tokens) {
            found.push(path_so_far);
            return;
        }
    }
}

/// Takes `::` if it is next.
fn next_is_path<I: Iterator<Item = TokenTree>>(tokens: &mut Peekable<I>) -> bool {
    tokens.next_if(|t| is_punct(t, ':')).is_some() && tokens.next_if(|t| is_punct(t, ':')).is_some()
}

fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Purity = Purity { instants_and_addresses: false };
    const RELAY: Purity = Purity { instants_and_addresses: true };

    #[test]
    fn each_impurity_is_found() {
        for (source, found) in [
            ("use std::fs;", "std::fs"),
            ("use std::{fmt, env::{self, args}};", "std::env::self"),
            ("use std::{collections::{BTreeMap}, net::UdpSocket};", "std::net::UdpSocket"),
            ("use std::net;", "std::net"),
            ("fn f() { ::std::thread::spawn(|| ()); }", "std::thread::spawn"),
            ("fn f() { vec![std::process::id()]; }", "std::process::id"),
            ("use std::net::IpAddr;", "std::net::IpAddr"),
            ("use tokio::spawn as f;", "tokio"),
            ("use std::time::*; fn f() { Instant::now(); }", "Instant"),
            ("fn f(at: std::time::Instant) {}", "Instant"),
            ("fn f() { let SystemTime { .. } = x; }", "SystemTime"),
            ("fn f() { rand::thread_rng(); }", "thread_rng"),
            ("fn f() { let r = ChaCha8Rng::from_os_rng(); }", "from_os_rng"),
            ("use std::collections::{BTreeMap, HashMap};", "HashMap"),
            ("fn f() { unsafe { g() } }", "unsafe"),
            ("#[allow(unsafe_code)] fn f() {}", "unsafe_code, other than forbidden"),
        ] {
            let broken = purity(source, STRICT).unwrap();
            assert!(broken.contains(&found.to_owned()), "{source}: {broken:?}");
        }
    }

    #[test]
    fn a_relay_may_be_handed_instants_and_addresses_but_not_read_a_clock() {
        let fine = "use std::net::{IpAddr, SocketAddr}; fn f(now: std::time::Instant, to: SocketAddr) {}";
        assert_eq!(purity(fine, RELAY).unwrap(), [""; 0]);
        assert_eq!(purity("fn f() { Instant::now(); }", RELAY).unwrap(), ["Instant"]);
        assert_eq!(purity("use std::net::UdpSocket;", RELAY).unwrap(), ["std::net::UdpSocket", "UdpSocket"]);
    }

    #[test]
    fn words_tests_and_literals_are_not_code() {
        let source = r#"
            //! Reads no `std::fs`, calls no Instant::now().
            #![forbid(unsafe_code)]
            /* unsafe */
            const WHY: &str = "std::env and tokio";
            fn f(environment: std::collections::BTreeMap<u8, u8>) -> core::fmt::Result { todo!() }
            #[cfg(test)]
            mod tests { use std::{env, fs}; fn f() { std::time::Instant::now(); } }
            #[cfg(test)]
            use std::fs;
        "#;
        assert_eq!(purity(source, STRICT).unwrap(), [""; 0]);
    }

    #[test]
    fn unsafe_is_found_in_code_only() {
        assert_eq!(unsafety("unsafe impl Send for X {}").unwrap(), ["unsafe"]);
        assert_eq!(unsafety("#![allow(unsafe_code)]").unwrap(), ["unsafe_code, other than forbidden"]);
        assert_eq!(unsafety("#![forbid(unsafe_code)] // unsafe").unwrap(), [""; 0]);
    }
}
