//! Where secrets come from.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use crate::auth::MIN_SECRET_BYTES;
use crate::cli::{IdentityArgs, WebhookArgs};
use crate::webhook::SigningKey;

const DEV_SECRET_FILE: &str = "dev-secret";

/// A secret in a text or in a file; `None` if none was given.
fn written(text: Option<&String>, file: Option<&PathBuf>) -> anyhow::Result<Option<Vec<u8>>> {
    if let Some(secret) = text {
        return Ok(Some(secret.clone().into_bytes()));
    }
    let Some(file) = file else { return Ok(None) };
    let text =
        std::fs::read(file).with_context(|| format!("can't read the secret file {}", file.display()))?;
    Ok(Some(text.trim_ascii_end().to_vec()))
}

/// The app secret that was given; `None` if none was.
fn given(args: &IdentityArgs) -> anyhow::Result<Option<Vec<u8>>> {
    written(args.secret.as_ref(), args.secret_file.as_ref())
}

/// What webhooks are signed with.
pub(crate) fn of_webhook(args: &WebhookArgs) -> anyhow::Result<SigningKey> {
    const HINT: &str = "(try: echo whsec_$(openssl rand -base64 32))";
    match written(args.webhook_secret.as_ref(), args.webhook_secret_file.as_ref())? {
        Some(secret) => SigningKey::new(&secret).map_err(|why| anyhow!("{why} {HINT}")),
        None => bail!(
            "a webhook needs a secret that signs it: give one with JMRTC_WEBHOOK_SECRET, --webhook-secret-file or \
             --webhook-secret {HINT}"
        ),
    }
}

/// The app secret of a server without --dev.
pub(crate) fn required(args: &IdentityArgs) -> anyhow::Result<Vec<u8>> {
    match given(args)? {
        Some(secret) => Ok(secret),
        None => bail!(
            "no secret: give one with JMRTC_SECRET, --secret-file or --secret (at least 32 bytes, e.g. of \
             `openssl rand -hex 32`), or try things out with --dev"
        ),
    }
}

/// The app secret of a --dev server: the one given, else one of its own, made on first use.
pub(crate) fn of_dev(args: &IdentityArgs) -> anyhow::Result<Vec<u8>> {
    if let Some(secret) = given(args)? {
        return Ok(secret);
    }
    let file = dev_file(&args.data);
    if let Some(secret) = read_dev(&file)? {
        if secret.len() < MIN_SECRET_BYTES {
            bail!("{} is broken: remove it, and the server makes another secret", file.display());
        }
        return Ok(secret);
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the operating system has no randomness")?;
    let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    match write_private(&file, secret.as_bytes()) {
        Ok(()) => Ok(secret.into_bytes()),
        // Another server of the same folder was faster.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            read_dev(&file)?.with_context(|| format!("{} is gone again", file.display()))
        }
        Err(e) => Err(e).with_context(|| format!("can't write {}", file.display())),
    }
}

/// The app secret for `token`: the one given, else a --dev server's in the data folder.
pub(crate) fn for_token(args: &IdentityArgs) -> anyhow::Result<Vec<u8>> {
    match given(args)? {
        Some(secret) => Ok(secret),
        None => match read_dev(&dev_file(&args.data))? {
            Some(secret) => Ok(secret),
            None => bail!(
                "no secret: give the server's with JMRTC_SECRET, --secret-file or --secret, or name the data folder \
                 of a --dev server with --data"
            ),
        },
    }
}

fn dev_file(data: &Path) -> PathBuf {
    data.join(DEV_SECRET_FILE)
}

fn read_dev(file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match std::fs::read(file) {
        Ok(text) => Ok(Some(text.trim_ascii_end().to_vec())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("can't read {}", file.display())),
    }
}

/// Makes a file that only its owner can read; fails if there is one.
fn write_private(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(content)
}
