//! The sample runbooks, half of them in Portuguese, inside the binary.

/// File name and text.
pub(super) const RUNBOOKS: &[(&str, &str)] = &[
    ("agente-dwhetl03-fora-do-ar.md", include_str!("../../demo/runbooks/agente-dwhetl03-fora-do-ar.md")),
    ("batch-log-basics.md", include_str!("../../demo/runbooks/batch-log-basics.md")),
    ("card-clear-late-file.md", include_str!("../../demo/runbooks/card-clear-late-file.md")),
    ("fin-eod-bal-diferenca.md", include_str!("../../demo/runbooks/fin-eod-bal-diferenca.md")),
    ("fin-gl-post-deadlock.md", include_str!("../../demo/runbooks/fin-gl-post-deadlock.md")),
    ("finapp01-file-system-full.md", include_str!("../../demo/runbooks/finapp01-file-system-full.md")),
    ("passagem-de-turno-e-escalonamento.md", include_str!("../../demo/runbooks/passagem-de-turno-e-escalonamento.md")),
    ("pay-monthly-conta-bloqueada.md", include_str!("../../demo/runbooks/pay-monthly-conta-bloqueada.md")),
    ("payroll-prompt-bank-cutoff.md", include_str!("../../demo/runbooks/payroll-prompt-bank-cutoff.md")),
    ("reg-daily-certificado-vencido.md", include_str!("../../demo/runbooks/reg-daily-certificado-vencido.md")),
    ("sftp-host-key-changed.md", include_str!("../../demo/runbooks/sftp-host-key-changed.md")),
];
