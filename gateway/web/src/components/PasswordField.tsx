import { useId, useState } from "react";
import { CheckIcon, EyeIcon, EyeOffIcon } from "./icons";

interface Props {
    value: string;
    /** A password is being chosen: the rules are shown, and password managers offer one. */
    isNew: boolean;
    onChange: (value: string) => void;
}

interface Rule {
    text: string;
    holds: (password: string) => boolean;
}

const RULES: readonly Rule[] = [
    { text: "8 characters or more", holds: (password) => [...password].length >= 8 },
    { text: "a lower-case letter", holds: (password) => /[a-z]/.test(password) },
    { text: "a digit", holds: (password) => /[0-9]/.test(password) },
];

/** The rules that a new password still breaks, as a sentence; null if none. */
export function passwordProblem(password: string): string | null {
    const broken = RULES.filter((rule) => !rule.holds(password)).map((rule) => rule.text);
    return broken.length === 0 ? null : `The password needs ${broken.join(", ").replace(/, ([^,]*)$/, " and $1")}.`;
}

export function PasswordField({ value, isNew, onChange }: Props) {
    const id = useId();
    const [isShown, setIsShown] = useState(false);
    return (
        <div className="field">
            <label htmlFor={id}>Password</label>
            <div className="field-with-button">
                <input
                    id={id}
                    name="password"
                    type={isShown ? "text" : "password"}
                    value={value}
                    required
                    autoComplete={isNew ? "new-password" : "current-password"}
                    autoCapitalize="none"
                    spellCheck={false}
                    aria-describedby={isNew ? `${id}-rules` : undefined}
                    onChange={(event) => onChange(event.target.value)}
                />
                <button
                    type="button"
                    className="icon-button"
                    aria-label="Show the password"
                    aria-pressed={isShown}
                    onClick={() => setIsShown(!isShown)}
                >
                    {isShown ? <EyeOffIcon /> : <EyeIcon />}
                </button>
            </div>
            {isNew && (
                <ul className="rules" id={`${id}-rules`}>
                    {RULES.map((rule) => (
                        <li key={rule.text} className={rule.holds(value) ? "is-met" : undefined}>
                            <CheckIcon />
                            {rule.text}
                        </li>
                    ))}
                </ul>
            )}
        </div>
    );
}
